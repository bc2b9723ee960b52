"""Time-aware layers and containers: ``from snncore.layers import Conv2d, SeqToANNContainer``.

Importing this package imports no torch; a name imports its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from snncore.layers.names import TIME_AWARE

if TYPE_CHECKING:
    from snncore.layers.containers import (
        ElementWiseRecurrentContainer as ElementWiseRecurrentContainer,
    )
    from snncore.layers.containers import LinearRecurrentContainer as LinearRecurrentContainer
    from snncore.layers.containers import MultiStepContainer as MultiStepContainer
    from snncore.layers.containers import Recurrent as Recurrent
    from snncore.layers.containers import SeqToANNContainer as SeqToANNContainer
    from snncore.layers.lifting import lift as lift
    from snncore.layers.time_aware import *  # noqa: F403

_HOME = {
    **dict.fromkeys(TIME_AWARE.values(), "time_aware"),
    "time_aware": "time_aware",
    "lift": "lifting",
    "ElementWiseRecurrentContainer": "containers",
    "LinearRecurrentContainer": "containers",
    "MultiStepContainer": "containers",
    "Recurrent": "containers",
    "SeqToANNContainer": "containers",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snncore.layers' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snncore.layers.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
