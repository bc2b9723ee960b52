"""Neurons of SpikingJelly with a step of their own."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from oracle.pair import Pair, Variant, drive
from oracle.peer import implant, module
from oracle.side import Leaves, Record, Run, Side, States, joined, loop, neuron
from oracle.spikingjelly_surrogates import LIBRARY, spike_function

V = {"v": (-0.6, 0.9)}
Translated = Callable[[Leaves], Mapping[str, Tensor]]


def product(**choices: tuple[Any, ...]) -> tuple[dict[str, Any], ...]:
    """Every combination of settings."""
    return tuple(
        dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())
    )


RESETS = product(v_reset=(0.0, -0.2, None), detach_reset=(False, True))
LEAKY = product(v_reset=(0.0, -0.2, None), detach_reset=(False, True), decay_input=(True, False))


def node(
    theirs: str,
    settings: Variant,
    renamed: Mapping[str, str],
    parameters: Mapping[str, Tensor],
) -> Any:
    """Their neuron in our settings; what its constructor does not take is assigned."""
    given = {renamed.get(name, name): value for name, value in settings.items()}
    spike = spike_function(given.pop("surrogate"))
    if "D" in given:
        spike = spike_function({"name": "multi_level_spike_count", "D": given.pop("D")})
    given["surrogate_function"] = spike
    cls = getattr(module("spikingjelly.activation_based.neuron"), theirs)
    taken = set(inspect.signature(cls).parameters)
    if "kwargs" in taken:
        taken |= set(inspect.signature(cls.__mro__[1]).parameters)
    made = cls(**{name: value for name, value in given.items() if name in taken})
    for name in given.keys() - taken - parameters.keys():
        assert hasattr(made, name), f"{theirs} knows no {name}"
        setattr(made, name, given[name])
    made.double()
    for name, value in parameters.items():
        implant(made, name, value)
    return made


def side(
    theirs: str,
    settings: Variant,
    *,
    memories: Mapping[str, str],
    renamed: Mapping[str, str],
    leaves: Leaves,
    translated: Translated,
    sequences: bool,
) -> Side:
    """Their neuron step by step and, where it has a form for it, all steps at once."""
    made = node(theirs, settings, renamed, translated(leaves))

    def begin(states: States) -> None:
        made.reset()
        for ours, value in states.items():
            setattr(made, memories[ours], value)

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        begin(states)
        made.step_mode = "s"
        made.store_v_seq = False
        return joined(made(x)), {ours: getattr(made, name) for ours, name in memories.items()}

    def whole(x: Tensor, start: States) -> Record:
        begin(start)
        made.step_mode = "m"
        made.store_v_seq = True
        y = made(x)
        return Record(y, {} if made.v_seq is None else {"v": made.v_seq})

    runs: dict[str, Run] = {"step by step": loop(step)}
    if sequences:
        runs["at once"] = whole
    return Side(runs, leaves)


def row(
    name: str,
    theirs: str,
    variants: tuple[Variant, ...],
    *,
    start: Mapping[str, tuple[float, float]] = V,
    memories: Mapping[str, str] | None = None,
    renamed: Mapping[str, str] | None = None,
    translated: Translated = lambda leaves: leaves,
    sequences: bool = True,
    low: float = -0.6,
    high: float = 1.9,
    mapping: str = "",
    spikes: bool = True,
    detached: tuple[str, ...] = (),
) -> Pair:
    """A pair whose settings differ in names at most."""

    def peer(settings: Variant, leaves: Leaves) -> Side:
        return side(
            theirs,
            {"surrogate": "atan", **settings},
            memories=memories or {"v": "v"},
            renamed=renamed or {},
            leaves=leaves,
            translated=translated,
            sequences=sequences,
        )

    return Pair(
        kind="neuron",
        name=name,
        library=LIBRARY,
        theirs=theirs,
        ours=lambda settings: neuron(name, settings),
        peer=peer,
        variants=variants,
        start=start,
        draws=drive(low=low, high=high),
        mapping=mapping,
        spikes=spikes,
        detached=detached,
    )


def _activation(settings: Variant) -> Variant:
    return {**settings, "act": getattr(torch, settings["act"])}


def _liaf() -> Pair:
    variants = tuple(
        {**settings, "act": act, "threshold_related": related}
        for settings in LEAKY
        for act, related in (("relu", False), ("tanh", True))
    )
    made = row("liaf", "LIAFNode", variants, spikes=False)
    return Pair(**{**vars(made), "peer": lambda s, leaves: made.peer(_activation(s), leaves)})


def _glif() -> Pair:
    values = {"init_alpha": 0.3, "init_beta": 0.6, "init_gamma": 0.7, "init_tau": 0.4}

    def peer(settings: Variant, leaves: Leaves) -> Side:
        steps = settings["T"]
        wide = leaves["w_alpha"].dim() > 0
        made = module("spikingjelly.activation_based.neuron").GatedLIFNode(
            steps, inplane=3 if wide else None, surrogate_function=spike_function("atan")
        )
        for name in ("alpha", "beta", "gamma", "tau", "v_threshold", "linear_decay", "v_subreset"):
            value = leaves[f"w_{name}"]
            implant(made, name, value.flatten() if wide else value)
        conduct = torch.stack([leaves[f"w_conduct.{t}"] for t in range(steps)])
        implant(made, "conduct", conduct.flatten(1) if wide else conduct)

        def whole(x: Tensor, start: States) -> Record:
            outputs, after = list[Tensor](), list[Tensor]()
            # They tell the last potential only.
            for made.T in range(1, steps + 1):
                made.reset()
                made.v = start.get("v", 0.0)
                outputs.append(made(x[: made.T]))
                after.append(made.v)
            return Record(outputs[-1], {"v": torch.stack(after)})

        return Side({"at once": whole}, leaves)

    channels = {name: [[[v]], [[0.5]], [[0.8]]] for name, v in values.items()}
    channels |= {"init_v_threshold": [[[0.4]], [[0.5]], [[0.6]]]}
    channels |= {"init_conduct": torch.full((10, 3, 1, 1), 0.4)}
    return Pair(
        kind="neuron",
        name="glif",
        library=LIBRARY,
        theirs="GatedLIFNode",
        ours=lambda settings: neuron("glif", settings),
        peer=peer,
        variants=({"T": 10, **values}, {"T": 10, **channels}),
        start={"v": (-0.3, 0.4)},
        draws=drive((10, 2, 3, 2, 2), -0.3, 0.9),
        mapping="their parameters are our `w_*`; four-dimensional input only",
    )


def pairs() -> list[Pair]:
    """All of them."""
    spiky = ({"surrogate": {"name": "sigmoid", "alpha": 2.0}}, {"surrogate": "erf"})
    quadratic = product(v_reset=(-0.1, -0.3, None), detach_reset=(False, True))
    more = {"tau": 3.0, "a0": 0.7, "v_c": 0.6, "v_rest": 0.05}
    adaptive = {"tau": 1.5, "a": 0.4, "b": 0.6, "tau_w": 3.0, "w_rest": 0.1}
    return [
        row("if", "IFNode", (*RESETS, *spiky, {"v_threshold": 0.7}), high=1.2),
        row("lif", "LIFNode", (*LEAKY, *spiky, {"tau": 3.5, "v_threshold": 0.6}), high=3.0),
        row(
            "plif",
            "ParametricLIFNode",
            tuple({"init_tau": 2.7, **settings} for settings in LEAKY),
            high=3.0,
        ),
        row("qif", "QIFNode", (*quadratic, {**more, "detach_reset": True}), high=3.5),
        row(
            "eif",
            "EIFNode",
            (*quadratic, {"tau": 3.0, "delta_t": 0.5, "theta_rh": 0.6, "v_rest": 0.05}),
            renamed={"delta_t": "delta_T"},
            low=-1.0,
            high=1.5,
        ),
        row(
            "izhikevich",
            "IzhikevichNode",
            (*RESETS, *({**adaptive, **settings} for settings in RESETS)),
            start={**V, "w": (-0.3, 0.3)},
            memories={"v": "v", "w": "w"},
            high=3.5,
        ),
        row(
            "klif",
            "KLIFNode",
            tuple({"k": 1.3, "scale_reset": scale, **s} for s in LEAKY for scale in (False, True)),
            high=2.5,
        ),
        row(
            "clif",
            "ComplementaryLIFNode",
            (
                {"surrogate": "rect"},
                {"surrogate": "atan", "tau": 3.0, "v_threshold": 0.7},
            ),
            start={**V, "m": (0.0, 1.0)},
            memories={"v": "v", "m": "m"},
        ),
        row(
            "cuba_lif",
            "CUBALIFNode",
            (
                *({"surrogate": "rect", **settings} for settings in RESETS),
                {"surrogate": "atan", "c_decay": 0.3, "v_decay": 0.9},
            ),
            start={"v": (-0.3, 0.4), "i": (-0.2, 0.3)},
            memories={"v": "v", "i": "c"},
            high=0.7,
        ),
        _liaf(),
        row(
            "raf",
            "RAFNode",
            (*RESETS, {"b": -0.05, "omega": 0.7, "dt": 1.2}),
            start={**V, "u": (-0.5, 0.5)},
            memories={"v": "v", "u": "u"},
        ),
        row("ternary_if", "TernaryIFNode", RESETS, low=-1.5, high=1.5),
        row("ternary_lif", "TernaryLIFNode", LEAKY, low=-4.0, high=4.0),
        row(
            "ilif",
            "ILIFNode",
            tuple({"D": d, "tau": 2.0, "detach_reset": r} for d in (2, 4) for r in (False, True)),
            high=3.0,
        ),
        row(
            "ottt_lif",
            "OTTTLIFNode",
            tuple({"tau": 2.5, **settings} for settings in LEAKY),
            start={**V, "a": (0.0, 1.0)},
            memories={"v": "v", "a": "trace"},
            sequences=False,
            high=2.5,
            spikes=False,
            detached=("v", "a"),
        ),
        row("sltt_lif", "SLTTLIFNode", LEAKY, sequences=False, high=3.0, detached=("v",)),
        _glif(),
    ]
