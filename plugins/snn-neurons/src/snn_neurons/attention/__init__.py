"""Attention between tokens of spikes.

Importing this package imports no torch; a name imports its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_neurons.attention.qk_attention import QKAttention as QKAttention
    from snn_neurons.attention.self_attention import SpikingSelfAttention as SpikingSelfAttention
    from snn_neurons.attention.spike_driven import SpikeDrivenAttention as SpikeDrivenAttention

_HOME = {
    "QKAttention": "qk_attention",
    "SpikeDrivenAttention": "spike_driven",
    "SpikingSelfAttention": "self_attention",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snn_neurons.attention' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snn_neurons.attention.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
