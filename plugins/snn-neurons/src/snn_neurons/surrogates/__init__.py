"""Surrogates beside the common ones of ``snncore.surrogate``, by the shape of their derivative.

Importing this package imports no torch; a name imports its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_neurons.surrogates.bells import Gaussian as Gaussian
    from snn_neurons.surrogates.bells import MultiGaussian as MultiGaussian
    from snn_neurons.surrogates.passes import DeterministicPass as DeterministicPass
    from snn_neurons.surrogates.passes import MultiLevelSpikeCount as MultiLevelSpikeCount
    from snn_neurons.surrogates.passes import PoissonPass as PoissonPass
    from snn_neurons.surrogates.pieces import S2NN as S2NN
    from snn_neurons.surrogates.pieces import STE as STE
    from snn_neurons.surrogates.pieces import LeakyKReLU as LeakyKReLU
    from snn_neurons.surrogates.pieces import LogTailedReLU as LogTailedReLU
    from snn_neurons.surrogates.pieces import PiecewiseLeakyReLU as PiecewiseLeakyReLU
    from snn_neurons.surrogates.tails import FakeNumericalGradient as FakeNumericalGradient
    from snn_neurons.surrogates.tails import NonzeroSignLogAbs as NonzeroSignLogAbs
    from snn_neurons.surrogates.tails import PiecewiseExp as PiecewiseExp
    from snn_neurons.surrogates.tails import QPseudoSpike as QPseudoSpike
    from snn_neurons.surrogates.tails import SuperSpike as SuperSpike
    from snn_neurons.surrogates.waves import SquarewaveFourierSeries as SquarewaveFourierSeries

_HOME = {
    "Gaussian": "bells",
    "MultiGaussian": "bells",
    "DeterministicPass": "passes",
    "MultiLevelSpikeCount": "passes",
    "PoissonPass": "passes",
    "LeakyKReLU": "pieces",
    "LogTailedReLU": "pieces",
    "PiecewiseLeakyReLU": "pieces",
    "S2NN": "pieces",
    "STE": "pieces",
    "FakeNumericalGradient": "tails",
    "NonzeroSignLogAbs": "tails",
    "PiecewiseExp": "tails",
    "QPseudoSpike": "tails",
    "SuperSpike": "tails",
    "SquarewaveFourierSeries": "waves",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snn_neurons.surrogates' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snn_neurons.surrogates.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
