"""Quantisers, observers, quantisation-aware training, and whole-number dynamics.

Importing this package imports no torch; a name imports its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snncore.quantize.clamp import Clamp as Clamp
    from snncore.quantize.clamp import ClampByLinear as ClampByLinear
    from snncore.quantize.estimator import rounded as rounded
    from snncore.quantize.estimator import straight_through as straight_through
    from snncore.quantize.fixed_point import multiply_shift as multiply_shift
    from snncore.quantize.fixed_point import saturate as saturate
    from snncore.quantize.fixed_point import whole as whole
    from snncore.quantize.integers import Integers as Integers
    from snncore.quantize.integers import export_integers as export_integers
    from snncore.quantize.integers import integers_of as integers_of
    from snncore.quantize.k_bit import Affine as Affine
    from snncore.quantize.k_bit import KBit as KBit
    from snncore.quantize.lsq import LSQ as LSQ
    from snncore.quantize.multi_level import MultiLevelSpikeCount as MultiLevelSpikeCount
    from snncore.quantize.multi_level import spike_count as spike_count
    from snncore.quantize.observed import Observed as Observed
    from snncore.quantize.observer import MinMax as MinMax
    from snncore.quantize.observer import MovingAverageMinMax as MovingAverageMinMax
    from snncore.quantize.observer import Observer as Observer
    from snncore.quantize.percentile import Percentile as Percentile
    from snncore.quantize.power_of_two import PowerOfTwo as PowerOfTwo
    from snncore.quantize.quantizer import Quantizer as Quantizer
    from snncore.quantize.quantizer import as_quantizer as as_quantizer
    from snncore.quantize.rounding import Ceil as Ceil
    from snncore.quantize.rounding import Floor as Floor
    from snncore.quantize.rounding import Round as Round
    from snncore.quantize.scale import scale_of as scale_of
    from snncore.quantize.uniform import Step as Step
    from snncore.quantize.uniform import Uniform as Uniform
    from snncore.quantize.weights import calibrating as calibrating
    from snncore.quantize.weights import enable as enable
    from snncore.quantize.weights import freeze as freeze
    from snncore.quantize.weights import quantize_weights as quantize_weights
    from snncore.quantize.weights import quantizers as quantizers

_HOME = {
    **dict.fromkeys(("Clamp", "ClampByLinear"), "clamp"),
    **dict.fromkeys(("multiply_shift", "saturate", "whole"), "fixed_point"),
    **dict.fromkeys(("Integers", "export_integers", "integers_of"), "integers"),
    **dict.fromkeys(("Affine", "KBit"), "k_bit"),
    "LSQ": "lsq",
    "Observed": "observed",
    **dict.fromkeys(("MinMax", "MovingAverageMinMax", "Observer"), "observer"),
    "Percentile": "percentile",
    "PowerOfTwo": "power_of_two",
    **dict.fromkeys(("Quantizer", "as_quantizer"), "quantizer"),
    **dict.fromkeys(("Ceil", "Floor", "Round"), "rounding"),
    "scale_of": "scale",
    **dict.fromkeys(("MultiLevelSpikeCount", "spike_count"), "multi_level"),
    **dict.fromkeys(("rounded", "straight_through"), "estimator"),
    **dict.fromkeys(("Step", "Uniform"), "uniform"),
    **dict.fromkeys(
        ("calibrating", "enable", "freeze", "quantize_weights", "quantizers"), "weights"
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snncore.quantize' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snncore.quantize.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
