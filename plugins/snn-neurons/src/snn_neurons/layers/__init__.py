"""Layers with memory, normalisation over time, delays, attention and containers.

Importing this package imports no torch; a name imports its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_neurons.layers.bntt import BNTT as BNTT
    from snn_neurons.layers.delay import Delay as Delay
    from snn_neurons.layers.drop_connect_linear import DropConnectLinear as DropConnectLinear
    from snn_neurons.layers.learnable_delay import LearnableDelay as LearnableDelay
    from snn_neurons.layers.learnable_delay_linear import (
        LearnableDelayLinear as LearnableDelayLinear,
    )
    from snn_neurons.layers.locked_dropout import LockedDropout as LockedDropout
    from snn_neurons.layers.locked_dropout import LockedDropout2d as LockedDropout2d
    from snn_neurons.layers.mpbn import MPBN as MPBN
    from snn_neurons.layers.multi_dimensional_attention import (
        MultiDimensionalAttention as MultiDimensionalAttention,
    )
    from snn_neurons.layers.neu_norm import NeuNorm as NeuNorm
    from snn_neurons.layers.residual import Residual as Residual
    from snn_neurons.layers.synapse_filter import SynapseFilter as SynapseFilter
    from snn_neurons.layers.t_last import TLast as TLast
    from snn_neurons.layers.tdbn import TDBN1d as TDBN1d
    from snn_neurons.layers.tdbn import TDBN2d as TDBN2d
    from snn_neurons.layers.tdbn import TDBN3d as TDBN3d
    from snn_neurons.layers.tebn import TEBN as TEBN
    from snn_neurons.layers.temporal_attention import TemporalAttention as TemporalAttention

_HOME = {
    "BNTT": "bntt",
    "Delay": "delay",
    "DropConnectLinear": "drop_connect_linear",
    "LearnableDelay": "learnable_delay",
    "LearnableDelayLinear": "learnable_delay_linear",
    "LockedDropout": "locked_dropout",
    "LockedDropout2d": "locked_dropout",
    "MPBN": "mpbn",
    "MultiDimensionalAttention": "multi_dimensional_attention",
    "NeuNorm": "neu_norm",
    "Residual": "residual",
    "SynapseFilter": "synapse_filter",
    "TDBN1d": "tdbn",
    "TDBN2d": "tdbn",
    "TDBN3d": "tdbn",
    "TEBN": "tebn",
    "TLast": "t_last",
    "TemporalAttention": "temporal_attention",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snn_neurons.layers' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snn_neurons.layers.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
