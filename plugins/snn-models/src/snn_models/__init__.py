"""Spiking network architectures. Importing this package imports no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_models.convnet import ConvNet as ConvNet
    from snn_models.mlp import MLP as MLP
    from snn_models.rsnn import RSNN as RSNN

_HOME = {"ConvNet": "convnet", "MLP": "mlp", "RSNN": "rsnn"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snn_models' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snn_models.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
