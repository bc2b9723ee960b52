"""Runs: begin one, go on with one, test one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from snn_train import checkpoint
from snn_train.distributed import launch, make_fabric, threads
from snn_train.errors import Interrupted
from snn_train.evaluation import Score, score
from snn_train.folder import CHECKPOINT, RESULT, clear, existing, free, write_config, write_result
from snn_train.logs import Logs
from snn_train.loop import Loop
from snn_train.parts import build_parts, dataset_of, items_to_test, loss_of
from snn_train.recipe import Recipe, load_recipe, override
from snn_train.report import spikes_of_first, write_report
from snn_train.result import summarize
from snncore.cli.console import stdout
from snncore.errors import ConfigError

# What may be another way on another machine without changing the numbers.
_MOVABLE = ("data.root", "data.download", "train.workers", "run.log")


def train(
    recipe: str | Path | Mapping[str, Any] | Recipe, overrides: Sequence[str] = ()
) -> dict[str, Any]:
    """Trains a network from a recipe.

    Args:
        recipe: a loaded one, or what :func:`snn_train.load_recipe` takes.
        overrides: ``table.key=value``.
    Returns: the content of the run's ``result.json``.

    Raises:
        ConfigError, UnknownComponent: a recipe that cannot be, before any work is done.
        RunError: the folder holds a run already.
        TrainingError: the loss is not finite, or a process failed.
        Interrupted: Ctrl-C; the run is saved, and the text says how to go on.
    """
    if isinstance(recipe, Recipe):
        loaded = override(recipe, overrides)
    else:
        loaded = load_recipe(recipe, overrides)
    return _launch(loaded, free(loaded), resumed=False)


def resume(run: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Goes on with an interrupted run; at the same thread count the end is the same bit for bit.

    Args:
        run: folder of the run.
        overrides: only for what does not change the numbers: where the data are, how many
            workers load them, and what logs are written.
    Returns: the content of the run's ``result.json``.

    Raises: ConfigError for another override or a finished run; else as :func:`train`.
    """
    folder = existing(run)
    if (folder / RESULT).exists():
        raise ConfigError(f"{folder} is finished; to test its network, type: snn eval {folder}")
    for word in overrides:
        if word.partition("=")[0].strip() not in _MOVABLE:
            raise ConfigError(
                f"--resume goes on with a run as it was begun; {word!r} would change it. Only "
                f"{', '.join(_MOVABLE)} may be set"
            )
    recipe, _ = checkpoint.read(folder / CHECKPOINT)
    return _launch(override(recipe, overrides), folder, resumed=True)


def evaluate(run: str | Path, overrides: Sequence[str] = ()) -> Score:
    """Tests the network of a run on one device.

    Args:
        run: folder of the run.
        overrides: of the tables ``data``, ``train`` and ``run`` alone, such as
            ``data.root=/data/mnist``.

    Raises: ConfigError for another override; RunError when there is no such run.
    """
    folder = existing(run)
    for word in overrides:
        if not word.startswith(("data.", "train.", "run.")):
            raise ConfigError(
                f"snn eval tests a network as it was trained; {word!r} would change it. Only the "
                "tables data, train and run may be set"
            )
    net = checkpoint.load_network(folder)
    recipe, _ = checkpoint.read(folder / CHECKPOINT)
    recipe = override(recipe, overrides)
    items = items_to_test(dataset_of(recipe, "test"), recipe)
    fabric = make_fabric(recipe, devices=1)
    with threads(recipe.run.threads):
        return score(fabric.to_device(net), items, recipe, loss_of(recipe), fabric)


def _launch(recipe: Recipe, folder: Path, *, resumed: bool) -> dict[str, Any]:
    work = partial(_work, recipe=recipe, folder=folder, resumed=resumed)
    if not launch(make_fabric(recipe), work):
        raise Interrupted(f"interrupted, and saved; to go on, type: snn train --resume {folder}")
    return json.loads((folder / RESULT).read_text(encoding="utf-8"))


def _work(fabric: Fabric, recipe: Recipe, folder: Path, resumed: bool) -> bool:
    """One process of a run; whether it came to the end."""
    with threads(recipe.run.threads):
        return _train(fabric, recipe, folder, resumed)


def _train(fabric: Fabric, recipe: Recipe, folder: Path, resumed: bool) -> bool:
    content = checkpoint.read(folder / CHECKPOINT)[1] if resumed else None
    parts = build_parts(recipe)
    recipe = parts.recipe
    logs = Logs(
        folder,
        stdout(),
        speaks=fabric.is_global_zero,
        tensorboard=recipe.run.log == "tensorboard",
        first_epoch=content["progress"]["epoch"] if content else 0,
    )
    if fabric.is_global_zero:
        # Not before all parts are built: a wrong recipe must not cost the run that it replaces.
        if not resumed:
            clear(folder)
        write_config(folder, recipe)
    loop = Loop(fabric, parts, folder, logs)
    if content:
        loop.resume(content)
    logs.say(_greeting(recipe, loop, folder))
    try:
        if not loop.run():
            return False
        if checkpoint.reported(recipe) != CHECKPOINT:
            loop.load_best()
        test = loop.test()
    finally:
        logs.close()
    if fabric.is_global_zero:
        result = summarize(recipe, parts.net, loop.progress, test, fabric.device)
        trains, label = spikes_of_first(parts.net, parts.test, recipe, fabric)
        write_report(folder, loop.progress.history, result, trains, label)
        # Last, since a folder with a result counts as finished.
        write_result(folder, result)
    if fabric.world_size > 1:
        fabric.barrier()
    return True


def _greeting(recipe: Recipe, loop: Loop, folder: Path) -> str:
    parameters = sum(p.numel() for p in loop.parts.net.parameters())
    return (
        f"{recipe.name}: {recipe.tables['model']['name']} with {parameters:,} parameters, "
        f"{len(loop.parts.train):,} items to train with, {len(loop.parts.test):,} to test, "
        f"on {loop.fabric.world_size} x {loop.fabric.device.type}, in {folder}"
    )
