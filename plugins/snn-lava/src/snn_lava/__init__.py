"""Loihi: training, conversion, files and simulation. Importing this package imports no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_lava.cuba import LoihiCUBA as LoihiCUBA

_HOME = {"LoihiCUBA": "cuba"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snn_lava' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snn_lava.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
