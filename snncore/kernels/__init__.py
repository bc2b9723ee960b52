"""Kernel backends: who runs a neuron's step, and why. Provisional until two vendors use it.

Importing this package imports no torch; a name imports its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snncore.kernels.backends import use_backend as use_backend
    from snncore.kernels.explanation import explain as explain
    from snncore.kernels.fused import FusedModule as FusedModule
    from snncore.kernels.kernel import Kernel as Kernel
    from snncore.kernels.memory import tune_memory as tune_memory
    from snncore.kernels.planning import plan as plan

_HOME = {
    "FusedModule": "fused",
    "Kernel": "kernel",
    "explain": "explanation",
    "plan": "planning",
    "tune_memory": "memory",
    "use_backend": "backends",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snncore.kernels' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snncore.kernels.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
