"""``result.json``: what a run came to."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

import torch
from torch import nn

from snn_train.checkpoint import reported
from snn_train.evaluation import Score
from snn_train.progress import Progress
from snn_train.recipe import Recipe
from snncore import registry


def summarize(
    recipe: Recipe, net: nn.Module, progress: Progress, test: Score, device: torch.device
) -> dict[str, Any]:
    """The content of ``result.json``."""
    seconds = progress.seconds
    return {
        "recipe": recipe.name,
        "seed": recipe.run.seed,
        "test_accuracy": test.accuracy,
        "test_loss": test.loss,
        "test_items": test.items,
        "network": reported(recipe),
        "epochs": progress.epoch,
        "stopped_early": progress.stopped,
        "best_epoch": progress.best_epoch,
        "best_metric": progress.best,
        "train_loss": progress.history[-1]["train_loss"],
        "train_accuracy": progress.history[-1]["train_accuracy"],
        "firing_rate": test.rate,
        "firing_rates": test.rates,
        "parameters": sum(p.numel() for p in net.parameters()),
        "seconds": seconds,
        "seconds_per_epoch": seconds / max(progress.epoch, 1),
        "device": str(device),
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "config": recipe.tables,
    }


def versions() -> dict[str, str]:
    """Versions of Python, of what trains, and of every plugin."""
    found = {"python": platform.python_version()}
    for name in ("torch", "numpy", "lightning-fabric"):
        found[name] = metadata.version(name)
    return {**found, **{plugin.name: plugin.version for plugin in registry.active().plugins}}
