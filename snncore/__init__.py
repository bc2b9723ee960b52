"""Spiking deep learning as a platform of plugins.

A neuron's one-step equations are written once; every way of running it is derived from them.
Importing this package imports neither torch nor pydantic.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snncore.config import build as build
    from snncore.config import config_of as config_of
    from snncore.config import from_spec as from_spec
    from snncore.config import info as info
    from snncore.kernels.explanation import explain as explain
    from snncore.layers.lifting import lift as lift
    from snncore.neuron import Neuron as Neuron
    from snncore.registry import components as components
    from snncore.registry import get as get
    from snncore.registry import plugins as plugins
    from snncore.registry import refresh as refresh
    from snncore.state import MemoryModule as MemoryModule
    from snncore.state import detach as detach
    from snncore.state import functional as functional
    from snncore.state import memories as memories
    from snncore.state import reset as reset
    from snncore.state import restore as restore
    from snncore.state import snapshot as snapshot
    from snncore.step import StepModule as StepModule
    from snncore.step import multi_step_forward as multi_step_forward
    from snncore.step import seq_to_ann_forward as seq_to_ann_forward
    from snncore.step import set_step_mode as set_step_mode
    from snncore.surrogate import Surrogate as Surrogate

_HOME = {
    "build": "config",
    "config_of": "config",
    "from_spec": "config",
    "info": "config",
    "explain": "kernels.explanation",
    "lift": "layers.lifting",
    "Neuron": "neuron",
    "components": "registry",
    "get": "registry",
    "plugins": "registry",
    "refresh": "registry",
    "MemoryModule": "state",
    "detach": "state",
    "functional": "state",
    "memories": "state",
    "reset": "state",
    "restore": "state",
    "snapshot": "state",
    "StepModule": "step",
    "multi_step_forward": "step",
    "seq_to_ann_forward": "step",
    "set_step_mode": "step",
    "Surrogate": "surrogate",
}

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snncore' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"snncore.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
