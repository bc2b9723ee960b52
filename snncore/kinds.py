"""The closed table of component kinds.

A new kind is a change of the core: it brings a protocol and a conformance kit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Kind:
    """One kind of component.

    Args:
        name: singular, lower case.
        summary: one line for ``snn list`` and the docs.
        home: first-party distribution that holds most components of the kind.
        kit: import string of the conformance kit; ``None`` while the kind has none.
        equations: whether a component says by an equation what it does.
    """

    name: str
    summary: str
    home: str = "snncore"
    kit: str | None = None
    equations: bool = True


_KIT = "snncore.testing.{}"

_ALL = (
    Kind("neuron", "spiking neuron models", "snn-neurons", _KIT.format("neuron:NeuronConformance")),
    Kind(
        "surrogate",
        "Heaviside step with a surrogate derivative",
        "snncore",
        _KIT.format("surrogate:SurrogateConformance"),
    ),
    Kind(
        "encoder",
        "values and signals to spike trains",
        "snn-neurons",
        _KIT.format("encoder:EncoderConformance"),
    ),
    Kind(
        "layer",
        "time-aware layers and containers",
        "snncore",
        _KIT.format("layer:LayerConformance"),
    ),
    Kind("loss", "loss functions on spike trains", "snn-learning"),
    Kind("learner", "learning rules other than back-propagation", "snn-learning"),
    Kind(
        "quantizer",
        "quantisers of weights, activations and dynamics",
        "snncore",
        _KIT.format("quantizer:QuantizerConformance"),
    ),
    Kind("monitor", "probes of networks", "snncore", _KIT.format("monitor:MonitorConformance")),
    Kind(
        "format",
        "decoders of event files",
        "snn-datasets",
        _KIT.format("format:FormatConformance"),
        equations=False,
    ),
    Kind(
        "dataset",
        "datasets",
        "snn-datasets",
        _KIT.format("dataset:DatasetConformance"),
        equations=False,
    ),
    Kind("model", "whole networks", "snn-models", equations=False),
    Kind("recipe", "training recipes", "snn-train", equations=False),
    Kind("converter", "conversion of artificial networks", "snn-ann2snn", equations=False),
    Kind(
        "chip",
        "exchange with neuromorphic chips",
        "snncore",
        _KIT.format("chip:ChipConformance"),
        equations=False,
    ),
    Kind("backend", "kernel backends", equations=False),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _ALL})
