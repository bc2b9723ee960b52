"""Layers that read spike trains out as values.

Importing this package imports no torch; a name imports its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_neurons.decoders.latency import LatencyDecoder as LatencyDecoder
    from snn_neurons.decoders.moving_window import MovingWindowDecoder as MovingWindowDecoder
    from snn_neurons.decoders.population import PopulationDecoder as PopulationDecoder
    from snn_neurons.decoders.rate import RateDecoder as RateDecoder
    from snn_neurons.decoders.voting import Voting as Voting

_HOME = {
    "LatencyDecoder": "latency",
    "MovingWindowDecoder": "moving_window",
    "PopulationDecoder": "population",
    "RateDecoder": "rate",
    "Voting": "voting",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snn_neurons.decoders' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snn_neurons.decoders.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
