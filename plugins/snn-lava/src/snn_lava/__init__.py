"""Loihi: training, conversion, files and simulation. Importing this package imports no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_lava.blocks import BlockContainer as BlockContainer
    from snn_lava.blocks import LoihiConv as LoihiConv
    from snn_lava.blocks import LoihiDense as LoihiDense
    from snn_lava.blocks import LoihiRecurrent as LoihiRecurrent
    from snn_lava.cuba import LoihiCUBA as LoihiCUBA
    from snn_lava.graded import LoihiGraded as LoihiGraded
    from snn_lava.networks import LoihiConvNet as LoihiConvNet
    from snn_lava.networks import LoihiDenseNet as LoihiDenseNet
    from snn_lava.synapses import LoihiConv2d as LoihiConv2d
    from snn_lava.synapses import LoihiLinear as LoihiLinear

_HOME = {
    "BlockContainer": "blocks",
    "LoihiCUBA": "cuba",
    "LoihiConv": "blocks",
    "LoihiConv2d": "synapses",
    "LoihiConvNet": "networks",
    "LoihiDense": "blocks",
    "LoihiDenseNet": "networks",
    "LoihiGraded": "graded",
    "LoihiLinear": "synapses",
    "LoihiRecurrent": "blocks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snn_lava' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snn_lava.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
