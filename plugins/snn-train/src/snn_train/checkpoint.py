"""Checkpoints: everything that a run needs to go on, or a network to be used again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from snn_train.errors import RunError
from snn_train.folder import BEST, CHECKPOINT, existing, write
from snn_train.parts import network_of
from snn_train.recipe import Recipe

FORMAT = 1


def save(path: Path, recipe: Recipe, content: dict[str, Any]) -> None:
    """Writes a checkpoint in one move: plain values and tensors alone."""
    whole = {"format": FORMAT, "name": recipe.name, "recipe": recipe.tables, **content}
    write(path, lambda aside: torch.save(whole, aside))


def read(path: Path) -> tuple[Recipe, dict[str, Any]]:
    """The recipe and the content of a checkpoint; nothing in it is executed.

    Raises: RunError when it is damaged or of another format.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch names no common base of what a damaged file raises
        raise RunError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RunError(f"{path} is no checkpoint that this version of snn-train wrote")
    return Recipe(content["name"], content["recipe"]), content


def load_network(run: str | Path, *, file: str | None = None) -> nn.Module:
    """The trained network of a run, built through the registry.

    Args:
        run: folder of the run.
        file: ``best.pt`` or ``checkpoint.pt`` (the last epoch); if not given, the one that the
            run's result speaks of: the best by validation where the run had any, else the last.
    Returns: the network in evaluation and multi-step mode, on the CPU: ``[T, N, *]`` in, and
        ``[T, N, classes]`` out.

    Raises:
        RunError: no run, or a damaged one.
        UnknownComponent: a part of the network is not installed.
    """
    folder = existing(run)
    recipe, content = read(folder / CHECKPOINT)
    chosen = file or reported(recipe)
    if chosen != CHECKPOINT:
        if not (folder / chosen).is_file():
            raise RunError(
                f"{folder} holds no {chosen}; to go on until it has one, type: "
                f"snn train --resume {folder}"
            )
        recipe, content = read(folder / chosen)
    net = network_of(recipe)
    net.load_state_dict(content["model"])
    return net.eval()


def reported(recipe: Recipe) -> str:
    """The file whose network a run's result speaks of."""
    return BEST if recipe.train.validation else CHECKPOINT
