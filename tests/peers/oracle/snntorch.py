"""Neurons and surrogates of snnTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from oracle.curve import Curve
from oracle.pair import Pair, Variant, drive
from oracle.peer import implant, module
from oracle.side import Leaves, Side, States, loop, neuron

LIBRARY = "snntorch"
LEARNED = [[1.5, 2.0, 2.5, 3.0, 4.0], [0.8, 0.9, 1.0, 1.1, 1.2]]
"""Time constants and thresholds of five neurons."""


def leaky(settings: Variant, leaves: Leaves) -> Any:
    """Their Leaky with our time constant and threshold."""
    made = (
        module("snntorch")
        .Leaky(
            beta=0.5,
            spike_grad=module("snntorch.surrogate").atan(alpha=2.0),
            reset_mechanism="subtract" if settings["v_reset"] is None else "zero",
            reset_delay=settings.get("reset_delay", False),
        )
        .double()
    )
    implant(made, "beta", 1.0 - 1.0 / leaves["tau"])
    implant(made, "threshold", leaves["v_threshold"])
    return made


def _leaky(settings: Variant, leaves: Leaves) -> Side:
    made = leaky(settings, leaves)

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        spikes, v = made(x, states["v"])
        return spikes.double(), {"v": v}

    return Side({"step by step": loop(step)}, leaves)


def _late(settings: Variant, leaves: Leaves) -> Side:
    """What they call v before the reset has come stays inside."""
    made = leaky({**settings, "reset_delay": True}, leaves)

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        spikes, v = made(x, states["v" if "v" in states else "before the reset"])
        return spikes.double(), {"before the reset": v}

    return Side({"step by step": loop(step)}, leaves)


def _general(settings: Variant, leaves: Leaves) -> Side:
    inner = {"tau": 1.0 / (1.0 - leaves["alpha"]), "v_threshold": leaves["v_threshold"]}
    made = leaky(settings, inner)

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        spikes, v = made(leaves["beta"] * x, states["v"])
        return spikes.double(), {"v": v}

    return Side({"step by step": loop(step)}, leaves)


def _synaptic(settings: Variant, leaves: Leaves) -> Side:
    made = (
        module("snntorch")
        .Synaptic(
            alpha=0.5,
            beta=0.5,
            spike_grad=module("snntorch.surrogate").atan(alpha=2.0),
            reset_mechanism="subtract" if settings["v_reset"] is None else "zero",
            reset_delay=False,
        )
        .double()
    )
    implant(made, "alpha", leaves["c_decay"])
    implant(made, "beta", leaves["v_decay"])
    implant(made, "threshold", leaves["v_threshold"])

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        spikes, i, v = made(x, states["i"], states["v"])
        return spikes.double(), {"v": v, "i": i}

    return Side({"step by step": loop(step)}, leaves)


def _undecayed(settings: Variant) -> Side:
    own = {name: value for name, value in settings.items() if name != "reset_delay"}
    return neuron("lif", {"decay_input": False, **own}, ("tau", "v_threshold"))


def pairs() -> list[Pair]:
    """All of them."""
    tau, threshold = LEARNED
    single: Variant = {"tau": 2.5, "v_threshold": 1.1}
    several: Variant = {"tau": tau, "v_threshold": threshold}
    both = tuple({**s, "v_reset": r} for s in (single, several) for r in (None, 0.0))
    words = "beta = 1 - 1/tau, `decay_input=False`"
    return [
        Pair(
            kind="neuron",
            name="lif",
            library=LIBRARY,
            theirs="Leaky(reset_delay=False)",
            ours=_undecayed,
            peer=_leaky,
            variants=both,
            start={"v": (-0.6, 0.7)},
            draws=drive(low=-0.3, high=0.7),
            mapping=f"{words}; `reset_mechanism` zero is hard, subtract soft",
        ),
        Pair(
            kind="neuron",
            name="lif",
            library=LIBRARY,
            theirs="Leaky",
            ours=_undecayed,
            peer=_late,
            variants=tuple(
                {**settings, "v_reset": 0.0, "detach_reset": True} for settings in (single, several)
            ),
            start={"v": (-0.6, 0.7)},
            draws=drive(low=-0.5, high=1.3),
            mapping=f"{words}; `reset_mechanism` zero is `detach_reset=True`, and their state is H",
        ),
        Pair(
            kind="neuron",
            name="general_linear",
            library=LIBRARY,
            theirs="Leaky(reset_delay=False)",
            ours=lambda settings: neuron("general_linear", settings),
            peer=_general,
            variants=tuple(
                {"alpha": 0.7, "beta": 0.8, "v_threshold": 1.1, "v_reset": reset}
                for reset in (None, 0.0)
            ),
            start={"v": (-0.6, 0.7)},
            draws=drive(low=-0.3, high=0.8),
            mapping="their beta is our alpha; the input times our beta",
        ),
        Pair(
            kind="neuron",
            name="cuba_lif",
            library=LIBRARY,
            theirs="Synaptic(reset_delay=False)",
            ours=lambda settings: neuron(
                "cuba_lif", settings, ("c_decay", "v_decay", "v_threshold")
            ),
            peer=_synaptic,
            variants=tuple(
                {"c_decay": 0.4, "v_decay": 0.7, "v_threshold": 1.0, "surrogate": "atan"}
                | {"v_reset": reset}
                for reset in (None, 0.0)
            ),
            start={"v": (-0.5, 0.8), "i": (-0.3, 0.3)},
            draws=drive(low=-0.2, high=0.5),
            mapping="alpha = `c_decay`, beta = `v_decay`",
        ),
    ]


def surrogate(name: str, **settings: float) -> Callable[[Tensor], Tensor]:
    """One of their spike functions."""
    found = getattr(module("snntorch.surrogate"), name)(**settings)
    return lambda x: found(x).to(x.dtype)


def curves() -> list[Curve]:
    """Surrogates with the same derivative up to a factor."""

    def slope(settings: Mapping[str, Any]) -> float:
        return settings.get("alpha", 2.0)

    def steep(settings: Mapping[str, Any]) -> float:
        return settings.get("alpha", 4.0)

    def curve(name: str, theirs: str, **more: Any) -> Curve:
        return Curve(name=name, library=LIBRARY, theirs=theirs, above=True, **more)

    return [
        curve(
            "atan",
            "atan",
            peer=lambda settings, _: surrogate("atan", alpha=slope(settings)),
            variants=({}, {"alpha": 3.0}),
        ),
        curve(
            "soft_sign",
            "fast_sigmoid",
            peer=lambda settings, _: surrogate("fast_sigmoid", slope=slope(settings)),
            variants=({}, {"alpha": 25.0}),
            scale=lambda settings: 2.0 / slope(settings),
            mapping="slope = alpha; theirs is ours times 2 / alpha, 1 at its top",
        ),
        curve(
            "super_spike",
            "fast_sigmoid",
            peer=lambda _, __: surrogate("fast_sigmoid", slope=1.0),
            mapping="slope = 1; our alpha is a height, their slope a width",
        ),
        curve(
            "sigmoid",
            "sigmoid",
            peer=lambda settings, _: surrogate("sigmoid", slope=steep(settings)),
            variants=({}, {"alpha": 25.0}),
            mapping="slope = alpha",
        ),
        curve(
            "deterministic_pass",
            "straight_through_estimator",
            peer=lambda _, __: surrogate("straight_through_estimator"),
        ),
        curve(
            "leaky_k_relu",
            "heaviside",
            peer=lambda _, __: surrogate("heaviside"),
            mapping="leak = 0, k = 1",
        ),
    ]
