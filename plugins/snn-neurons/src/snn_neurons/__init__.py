"""Spiking neurons and encoders. Importing this package imports no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_neurons.adex import AdEx as AdEx
    from snn_neurons.alif import ALIF as ALIF
    from snn_neurons.clif import CLIF as CLIF
    from snn_neurons.conductance_lif import ConductanceLIF as ConductanceLIF
    from snn_neurons.constant_current import ConstantCurrent as ConstantCurrent
    from snn_neurons.cuba_lif import CubaLIF as CubaLIF
    from snn_neurons.eif import EIF as EIF
    from snn_neurons.escape_rate import EscapeRate as EscapeRate
    from snn_neurons.gaussian_tuning import GaussianTuning as GaussianTuning
    from snn_neurons.general_linear import GeneralLinear as GeneralLinear
    from snn_neurons.glif import GLIF as GLIF
    from snn_neurons.ilif import ILIF as ILIF
    from snn_neurons.integrate_fire import IF as IF
    from snn_neurons.integrator import Integrator as Integrator
    from snn_neurons.izhikevich import Izhikevich as Izhikevich
    from snn_neurons.klif import KLIF as KLIF
    from snn_neurons.latency import Latency as Latency
    from snn_neurons.leaky_integrator import LeakyIntegrator as LeakyIntegrator
    from snn_neurons.level_crossing import Delta as Delta
    from snn_neurons.level_crossing import SendOnDelta as SendOnDelta
    from snn_neurons.level_crossing import StepForward as StepForward
    from snn_neurons.liaf import LIAF as LIAF
    from snn_neurons.lif import LIF as LIF
    from snn_neurons.masked_psn import MaskedPSN as MaskedPSN
    from snn_neurons.noisy_lif import NoisyLIF as NoisyLIF
    from snn_neurons.ottt_lif import OTTTLIF as OTTTLIF
    from snn_neurons.periodic import Periodic as Periodic
    from snn_neurons.plif import PLIF as PLIF
    from snn_neurons.poisson import Poisson as Poisson
    from snn_neurons.population import Population as Population
    from snn_neurons.psn import PSN as PSN
    from snn_neurons.qif import QIF as QIF
    from snn_neurons.quantized_lif import QuantizedLIF as QuantizedLIF
    from snn_neurons.raf import RAF as RAF
    from snn_neurons.rank_order import RankOrder as RankOrder
    from snn_neurons.refractory_lif import RefractoryLIF as RefractoryLIF
    from snn_neurons.resonate_and_fire import ResonateAndFire as ResonateAndFire
    from snn_neurons.sliding_psn import SlidingPSN as SlidingPSN
    from snn_neurons.sltt_lif import SLTTLIF as SLTTLIF
    from snn_neurons.synaptic_lif import SynapticLIF as SynapticLIF
    from snn_neurons.ternary_if import TernaryIF as TernaryIF
    from snn_neurons.ternary_lif import TernaryLIF as TernaryLIF
    from snn_neurons.weighted_phase import WeightedPhase as WeightedPhase

_HOME = {
    "ConductanceLIF": "conductance_lif",
    "EscapeRate": "escape_rate",
    "GLIF": "glif",
    "Integrator": "integrator",
    "LeakyIntegrator": "leaky_integrator",
    "MaskedPSN": "masked_psn",
    "NoisyLIF": "noisy_lif",
    "OTTTLIF": "ottt_lif",
    "PSN": "psn",
    "RefractoryLIF": "refractory_lif",
    "SlidingPSN": "sliding_psn",
    "SLTTLIF": "sltt_lif",
    "SynapticLIF": "synaptic_lif",
    "ALIF": "alif",
    "AdEx": "adex",
    "CLIF": "clif",
    "CubaLIF": "cuba_lif",
    "EIF": "eif",
    "GeneralLinear": "general_linear",
    "ILIF": "ilif",
    "KLIF": "klif",
    "LIAF": "liaf",
    "QIF": "qif",
    "RAF": "raf",
    "ResonateAndFire": "resonate_and_fire",
    "TernaryIF": "ternary_if",
    "TernaryLIF": "ternary_lif",
    "IF": "integrate_fire",
    "Izhikevich": "izhikevich",
    "LIF": "lif",
    "PLIF": "plif",
    "QuantizedLIF": "quantized_lif",
    "ConstantCurrent": "constant_current",
    "Latency": "latency",
    "Poisson": "poisson",
    "Delta": "level_crossing",
    "GaussianTuning": "gaussian_tuning",
    "Periodic": "periodic",
    "Population": "population",
    "RankOrder": "rank_order",
    "SendOnDelta": "level_crossing",
    "StepForward": "level_crossing",
    "WeightedPhase": "weighted_phase",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snn_neurons' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snn_neurons.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
