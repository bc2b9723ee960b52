"""Spiking neurons and encoders. Importing this package imports no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_neurons.alif import ALIF as ALIF
    from snn_neurons.constant_current import ConstantCurrent as ConstantCurrent
    from snn_neurons.integrate_fire import IF as IF
    from snn_neurons.izhikevich import Izhikevich as Izhikevich
    from snn_neurons.latency import Latency as Latency
    from snn_neurons.lif import LIF as LIF
    from snn_neurons.plif import PLIF as PLIF
    from snn_neurons.poisson import Poisson as Poisson

_HOME = {
    "ALIF": "alif",
    "IF": "integrate_fire",
    "Izhikevich": "izhikevich",
    "LIF": "lif",
    "PLIF": "plif",
    "ConstantCurrent": "constant_current",
    "Latency": "latency",
    "Poisson": "poisson",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snn_neurons' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snn_neurons.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
