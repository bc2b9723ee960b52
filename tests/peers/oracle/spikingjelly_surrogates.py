"""Surrogates of SpikingJelly by our names, and the pairs that they make."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from oracle.curve import Curve
from oracle.pair import Pair, Variant, drive
from oracle.peer import module
from oracle.side import Leaves, Side, States, loop, neuron

LIBRARY = "spikingjelly"
# Ours -> theirs, what parameters are called there, and settings beside the defaults.
_ROWS: Mapping[str, tuple[str, Mapping[str, str], tuple[Mapping[str, Any], ...]]] = {
    "sigmoid": ("Sigmoid", {}, ({"alpha": 1.5},)),
    "atan": ("ATan", {}, ({"alpha": 3.0},)),
    "piecewise_quadratic": ("PiecewiseQuadratic", {}, ({"alpha": 0.5}, {"alpha": 4.0})),
    "piecewise_exp": ("PiecewiseExp", {}, ({"alpha": 2.5},)),
    "soft_sign": ("SoftSign", {}, ({"alpha": 0.7},)),
    "super_spike": ("SuperSpike", {}, ({"alpha": 10.0},)),
    "nonzero_sign_log_abs": ("NonzeroSignLogAbs", {}, ({"alpha": 3.0},)),
    "erf": ("Erf", {}, ({"alpha": 0.8},)),
    "piecewise_leaky_relu": (
        "PiecewiseLeakyReLU",
        {},
        ({"w": 0.5, "c": 0.2}, {"w": 2.0, "c": 0.0}),
    ),
    "squarewave_fourier_series": (
        "SquarewaveFourierSeries",
        {"period": "T_period"},
        ({"n": 5, "period": 6.0},),
    ),
    "s2nn": ("S2NN", {}, ({"alpha": 2.0, "beta": 0.5},)),
    "q_pseudo_spike": ("QPseudoSpike", {}, ({"alpha": 3.5},)),
    "leaky_k_relu": ("LeakyKReLU", {}, ({"leak": 0.2, "k": 1.5},)),
    "fake_numerical_gradient": ("FakeNumericalGradient", {}, ({"alpha": 2.0},)),
    "log_tailed_relu": ("LogTailedReLU", {}, ({"alpha": 0.1},)),
    "rect": ("Rect", {}, ({"alpha": 0.5}, {"alpha": 2.0})),
    "deterministic_pass": ("DeterministicPass", {}, ()),
    "multi_level_spike_count": (
        "MultiLevelSpikeCount",
        {"D": "max_spike_count"},
        ({"D": 2},),
    ),
}
_BOUNDLESS = {"super_spike", "fake_numerical_gradient"}
"""For these SpikingJelly has no primitive."""
_OTHER_PRIMITIVE = {"s2nn"}
"""Whose primitive is another; a difference says how."""


def spike_function(spec: str | Mapping[str, Any], *, spiking: bool = True) -> Any:
    """Their surrogate for a name or table of ours."""
    table: dict[str, Any] = {"name": spec} if isinstance(spec, str) else dict(spec)
    theirs, renamed, _ = _ROWS[table.pop("name")]
    given = {renamed.get(name, name): value for name, value in table.items()}
    if theirs == "MultiLevelSpikeCount":
        given.setdefault("max_spike_count", 4)
    made = getattr(module("spikingjelly.activation_based.surrogate"), theirs)(**given)
    made.spiking = spiking
    return made


def curves() -> list[Curve]:
    """Each surrogate, with and without its primitive."""
    found = []
    for name, (theirs, _, more) in _ROWS.items():
        found.append(
            Curve(
                name=name,
                library=LIBRARY,
                theirs=theirs,
                peer=lambda settings, spiking, name=name: spike_function(
                    {"name": name, **settings}, spiking=spiking
                ),
                variants=({}, *more),
                primitive=name not in _BOUNDLESS | _OTHER_PRIMITIVE,
            )
        )
    return [*found, _gaussian()]


def pairs() -> list[Pair]:
    """Each surrogate in an integrate-and-fire neuron, through 16 steps."""

    def pair(name: str, theirs: str) -> Pair:
        def peer(settings: Variant, leaves: Leaves) -> Side:
            made = module("spikingjelly.activation_based.neuron").IFNode(
                v_reset=None, surrogate_function=spike_function({"name": name})
            )

            def step(x: Tensor, states: States) -> tuple[Tensor, States]:
                made.reset()
                made.v = states["v"]
                return made(x), {"v": made.v}

            return Side({"step by step": loop(step)}, leaves)

        return Pair(
            kind="surrogate",
            name=name,
            library=LIBRARY,
            theirs=theirs,
            ours=lambda settings: neuron("if", {"surrogate": name, "v_reset": None}),
            peer=peer,
            start={"v": (-0.6, 0.9)},
            draws=drive(high=1.2),
            mapping="in an IF neuron with soft reset",
        )

    return [pair(name, theirs) for name, (theirs, *_) in _ROWS.items()]


def _gaussian() -> Curve:
    def peer(settings: Mapping[str, Any], spiking: bool) -> Any:
        alpha = 1.0 / (settings["sigma"] * math.sqrt(2.0))
        return spike_function({"name": "erf", "alpha": alpha}, spiking=spiking)

    return Curve(
        name="gaussian",
        library=LIBRARY,
        theirs="Erf",
        peer=peer,
        variants=({"sigma": 0.5}, {"sigma": 0.3}),
        primitive=True,
        mapping="alpha = 1 / (sqrt(2) sigma)",
    )
