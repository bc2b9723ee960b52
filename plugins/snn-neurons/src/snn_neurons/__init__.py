"""Spiking neurons, surrogates, encoders and layers. Importing this package imports no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_neurons.adex import AdEx as AdEx
    from snn_neurons.alif import ALIF as ALIF
    from snn_neurons.attention.qk_attention import QKAttention as QKAttention
    from snn_neurons.attention.self_attention import SpikingSelfAttention as SpikingSelfAttention
    from snn_neurons.attention.spike_driven import SpikeDrivenAttention as SpikeDrivenAttention
    from snn_neurons.clif import CLIF as CLIF
    from snn_neurons.conductance_lif import ConductanceLIF as ConductanceLIF
    from snn_neurons.constant_current import ConstantCurrent as ConstantCurrent
    from snn_neurons.cuba_lif import CubaLIF as CubaLIF
    from snn_neurons.decoders.latency import LatencyDecoder as LatencyDecoder
    from snn_neurons.decoders.moving_window import MovingWindowDecoder as MovingWindowDecoder
    from snn_neurons.decoders.population import PopulationDecoder as PopulationDecoder
    from snn_neurons.decoders.rate import RateDecoder as RateDecoder
    from snn_neurons.decoders.voting import Voting as Voting
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
    from snn_neurons.recurrent.gru import SpikingGRU as SpikingGRU
    from snn_neurons.recurrent.gru import SpikingGRUCell as SpikingGRUCell
    from snn_neurons.recurrent.lstm import SpikingLSTM as SpikingLSTM
    from snn_neurons.recurrent.lstm import SpikingLSTMCell as SpikingLSTMCell
    from snn_neurons.recurrent.rnn import SpikingRNN as SpikingRNN
    from snn_neurons.recurrent.rnn import SpikingRNNCell as SpikingRNNCell
    from snn_neurons.refractory_lif import RefractoryLIF as RefractoryLIF
    from snn_neurons.resonate_and_fire import ResonateAndFire as ResonateAndFire
    from snn_neurons.sliding_psn import SlidingPSN as SlidingPSN
    from snn_neurons.sltt_lif import SLTTLIF as SLTTLIF
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
    from snn_neurons.synaptic_lif import SynapticLIF as SynapticLIF
    from snn_neurons.ternary_if import TernaryIF as TernaryIF
    from snn_neurons.ternary_lif import TernaryLIF as TernaryLIF
    from snn_neurons.weighted_phase import WeightedPhase as WeightedPhase

_HOME = {
    "ALIF": "alif",
    "AdEx": "adex",
    "BNTT": "layers.bntt",
    "CLIF": "clif",
    "ConductanceLIF": "conductance_lif",
    "ConstantCurrent": "constant_current",
    "CubaLIF": "cuba_lif",
    "Delay": "layers.delay",
    "Delta": "level_crossing",
    "DeterministicPass": "surrogates.passes",
    "DropConnectLinear": "layers.drop_connect_linear",
    "EIF": "eif",
    "EscapeRate": "escape_rate",
    "FakeNumericalGradient": "surrogates.tails",
    "GLIF": "glif",
    "Gaussian": "surrogates.bells",
    "GaussianTuning": "gaussian_tuning",
    "GeneralLinear": "general_linear",
    "IF": "integrate_fire",
    "ILIF": "ilif",
    "Integrator": "integrator",
    "Izhikevich": "izhikevich",
    "KLIF": "klif",
    "LIAF": "liaf",
    "LIF": "lif",
    "Latency": "latency",
    "LatencyDecoder": "decoders.latency",
    "LeakyIntegrator": "leaky_integrator",
    "LeakyKReLU": "surrogates.pieces",
    "LearnableDelay": "layers.learnable_delay",
    "LearnableDelayLinear": "layers.learnable_delay_linear",
    "LockedDropout": "layers.locked_dropout",
    "LockedDropout2d": "layers.locked_dropout",
    "LogTailedReLU": "surrogates.pieces",
    "MPBN": "layers.mpbn",
    "MaskedPSN": "masked_psn",
    "MovingWindowDecoder": "decoders.moving_window",
    "MultiDimensionalAttention": "layers.multi_dimensional_attention",
    "MultiGaussian": "surrogates.bells",
    "MultiLevelSpikeCount": "surrogates.passes",
    "NeuNorm": "layers.neu_norm",
    "NoisyLIF": "noisy_lif",
    "NonzeroSignLogAbs": "surrogates.tails",
    "OTTTLIF": "ottt_lif",
    "PLIF": "plif",
    "PSN": "psn",
    "Periodic": "periodic",
    "PiecewiseExp": "surrogates.tails",
    "PiecewiseLeakyReLU": "surrogates.pieces",
    "Poisson": "poisson",
    "PoissonPass": "surrogates.passes",
    "Population": "population",
    "PopulationDecoder": "decoders.population",
    "QIF": "qif",
    "QKAttention": "attention.qk_attention",
    "QPseudoSpike": "surrogates.tails",
    "QuantizedLIF": "quantized_lif",
    "RAF": "raf",
    "RankOrder": "rank_order",
    "RateDecoder": "decoders.rate",
    "RefractoryLIF": "refractory_lif",
    "Residual": "layers.residual",
    "ResonateAndFire": "resonate_and_fire",
    "S2NN": "surrogates.pieces",
    "SLTTLIF": "sltt_lif",
    "STE": "surrogates.pieces",
    "SendOnDelta": "level_crossing",
    "SlidingPSN": "sliding_psn",
    "SpikeDrivenAttention": "attention.spike_driven",
    "SpikingGRU": "recurrent.gru",
    "SpikingGRUCell": "recurrent.gru",
    "SpikingLSTM": "recurrent.lstm",
    "SpikingLSTMCell": "recurrent.lstm",
    "SpikingRNN": "recurrent.rnn",
    "SpikingRNNCell": "recurrent.rnn",
    "SpikingSelfAttention": "attention.self_attention",
    "SquarewaveFourierSeries": "surrogates.waves",
    "StepForward": "level_crossing",
    "SuperSpike": "surrogates.tails",
    "SynapseFilter": "layers.synapse_filter",
    "SynapticLIF": "synaptic_lif",
    "TDBN1d": "layers.tdbn",
    "TDBN2d": "layers.tdbn",
    "TDBN3d": "layers.tdbn",
    "TEBN": "layers.tebn",
    "TLast": "layers.t_last",
    "TemporalAttention": "layers.temporal_attention",
    "TernaryIF": "ternary_if",
    "TernaryLIF": "ternary_lif",
    "Voting": "decoders.voting",
    "WeightedPhase": "weighted_phase",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snn_neurons' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snn_neurons.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
