"""Training of spiking networks from recipes. Importing this package imports no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_train.checkpoint import load_network as load_network
    from snn_train.errors import Interrupted as Interrupted
    from snn_train.errors import RunError as RunError
    from snn_train.errors import TrainingError as TrainingError
    from snn_train.loss import RateCrossEntropy as RateCrossEntropy
    from snn_train.loss import RateMSE as RateMSE
    from snn_train.recipe import Recipe as Recipe
    from snn_train.recipe import load_recipe as load_recipe
    from snn_train.training import evaluate as evaluate
    from snn_train.training import resume as resume
    from snn_train.training import train as train

_HOME = {
    "load_network": "checkpoint",
    "Interrupted": "errors",
    "RunError": "errors",
    "TrainingError": "errors",
    "RateCrossEntropy": "loss",
    "RateMSE": "loss",
    "Recipe": "recipe",
    "load_recipe": "recipe",
    "evaluate": "training",
    "resume": "training",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snn_train' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snn_train.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
