"""Encoders and quantisers of SpikingJelly, which turn values into others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

import snncore as snn
from oracle.pair import Drawn, Pair, Variant, drive
from oracle.peer import module
from oracle.side import Leaves, Side, layer, leaves_of, once
from oracle.spikingjelly_surrogates import LIBRARY

Make = Callable[[Variant, Leaves], Callable[[Tensor], Tensor]]


def _row(
    kind: str,
    name: str,
    theirs: str,
    make: Make,
    variants: tuple[Variant, ...],
    draws: Drawn,
    *,
    spikes: bool = False,
    mapping: str = "",
    ours: Callable[[Variant], Side] | None = None,
) -> Pair:
    return Pair(
        kind=kind,
        name=name,
        library=LIBRARY,
        theirs=theirs,
        ours=ours or (lambda settings: layer(kind, name, settings, stepwise=False)),
        peer=lambda settings, leaves: Side({"at once": once(make(settings, leaves))}, leaves),
        variants=variants,
        draws=draws,
        mapping=mapping,
        spikes=spikes,
    )


def _repeated(made: Any, steps: int) -> Callable[[Tensor], Tensor]:
    def run(x: Tensor) -> Tensor:
        made.reset()
        return torch.stack([made(x).double() for _ in range(steps)])

    return run


def encoding() -> Any:
    """Their encoders."""
    return module("spikingjelly.activation_based.encoding")


def _latency(settings: Variant, leaves: Leaves) -> Callable[[Tensor], Tensor]:
    return _repeated(encoding().LatencyEncoder(settings["T"], settings["function"]), settings["T"])


def _phase(settings: Variant, leaves: Leaves) -> Callable[[Tensor], Tensor]:
    return _repeated(encoding().WeightedPhaseEncoder(settings["T"]), settings["T"])


def _periodic(settings: Variant, leaves: Leaves) -> Callable[[Tensor], Tensor]:
    def run(x: Tensor) -> Tensor:
        made = encoding().PeriodicEncoder(x)
        return torch.stack([made(x) for _ in range(settings["T"])])

    return run


def _population(settings: Variant, leaves: Leaves) -> Callable[[Tensor], Tensor]:
    count, size = settings["features"], settings["pop_dim"]
    analogue = settings["spikes"] == "analogue"
    cls = encoding().PopEncoder if analogue else encoding().PopSpikeEncoderDeterministic
    made = cls(count, size, settings["T"], (-3.0, 3.0), 0.5).double()
    for name, ours in (("mean", "mu"), ("std", "sigma")):
        made._parameters.pop(name)
        setattr(made, name, leaves[ours].unsqueeze(0))

    def run(x: Tensor) -> Tensor:
        if not analogue:
            made.neurons.reset()
        return made(x).unflatten(-1, (count, size))

    return run


def _affine_ours(settings: Variant) -> Side:
    made = snn.get("quantizer", "affine")(**settings)
    made.make_learnable(["w", "b"])
    made = made.double()
    return Side({"at once": once(made)}, leaves_of(made))


def quantize(name: str) -> Any:
    """One of their quantisers."""
    return getattr(module("spikingjelly.activation_based.quantize"), name)


def pairs() -> list[Pair]:
    """All of them."""
    unit, wide = drive((4, 7), 0.0, 1.0), drive((4, 7), -3.0, 6.0)

    def simple(theirs: str, **given: str) -> Make:
        def make(settings: Variant, leaves: Leaves) -> Callable[[Tensor], Tensor]:
            found: Mapping[str, Any] = {name: settings[ours] for name, ours in given.items()}
            return lambda x: quantize(theirs)(x, **found)

        return make

    def affine(settings: Variant, leaves: Leaves) -> Callable[[Tensor], Tensor]:
        w, b = leaves["w"], leaves["b"]
        return lambda x: quantize("affine_k_bit_quantize")(x, settings["bits"], w, b)

    population = {"T": 6, "features": 3, "pop_dim": 5, "std": 0.5}
    q = "quantizer"
    return [
        _row(
            "encoder",
            "latency",
            "LatencyEncoder",
            _latency,
            ({"T": 9, "function": "linear"}, {"T": 9, "function": "log"}),
            unit,
            spikes=True,
        ),
        _row(
            "encoder",
            "weighted_phase",
            "WeightedPhaseEncoder",
            _phase,
            ({"T": 6},),
            drive((4, 7), 0.0, 0.98),
            spikes=True,
        ),
        _row(
            "encoder",
            "periodic",
            "PeriodicEncoder",
            _periodic,
            ({"T": 11},),
            drive((4, 7), 0.0, 1.0),
        ),
        _row(
            "encoder",
            "population",
            "PopSpikeEncoderDeterministic",
            _population,
            ({**population, "spikes": "deterministic"},),
            drive((4, 3), -2.0, 2.0),
            spikes=True,
            mapping="mean = mu, std = sigma; their populations in one axis",
        ),
        _row(
            "encoder",
            "population",
            "PopEncoder",
            _population,
            ({**population, "spikes": "analogue"},),
            drive((4, 3), -2.0, 2.0),
            mapping="mean = mu, std = sigma; their populations in one axis",
        ),
        _row(
            q, "k_bit", "k_bit_quantize", simple("k_bit_quantize", k="bits"), ({"bits": 3},), unit
        ),
        _row(
            q,
            "affine",
            "affine_k_bit_quantize",
            affine,
            ({"bits": 3, "w": 1.7, "b": -0.4},),
            unit,
            ours=_affine_ours,
        ),
        _row(
            q,
            "step",
            "step_quantize",
            simple("step_quantize", step="scale"),
            ({"scale": 0.3},),
            wide,
        ),
        _row(
            q,
            "clamp",
            "clamp",
            simple("clamp", min_value="low", max_value="high"),
            ({"low": -1.0, "high": 2.0},),
            wide,
        ),
        _row(q, "clamp_by_linear", "clamp_by_linear", simple("clamp_by_linear"), ({},), wide),
        _row(q, "round", "round", simple("round"), ({},), wide),
        _row(q, "ceil", "ceil", simple("ceil"), ({},), wide),
        _row(q, "floor", "floor", simple("floor"), ({},), wide),
        _row(
            q,
            "multi_level_spike_count",
            "multi_level_spike_count",
            simple("multi_level_spike_count", max_spike_count="levels"),
            ({"levels": 4},),
            wide,
        ),
    ]
