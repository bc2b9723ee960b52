"""Recurrent cells and containers of SpikingJelly."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import snncore as snn
from oracle.pair import Pair, Variant, drive
from oracle.peer import implant, module
from oracle.side import Leaves, Record, Side, States, on_eager, once
from oracle.spikingjelly_surrogates import LIBRARY, spike_function
from snncore.layers import ElementWiseRecurrentContainer, LinearRecurrentContainer

_CELLS = {
    "spiking_rnn": ("SpikingVanillaRNN", ("h",)),
    "spiking_gru": ("SpikingGRU", ("h",)),
    "spiking_lstm": ("SpikingLSTM", ("h", "c")),
}


def _given(start: States, names: tuple[str, ...]) -> Any:
    held = tuple(start[name] for name in names)
    return held[0] if len(held) == 1 else held


def _cell(name: str, theirs: str, states: tuple[str, ...]) -> Pair:
    def ours(settings: Variant) -> Side:
        made = snn.get("layer", f"{name}_cell")(**settings).double()
        on_eager(made)

        def run(x: Tensor, start: States) -> Record:
            made.step_mode = "m"
            snn.reset(made)
            return Record(made(x, hx=_given(start, states)))

        def steps(x: Tensor, start: States) -> Record:
            made.step_mode = "s"
            snn.reset(made)
            first, *rest = x.unbind(0)
            outputs = [made(first, hx=_given(start, states)), *(made(now) for now in rest)]
            return Record(torch.stack(outputs))

        return Side({"at once": run, "step by step": steps}, dict(made.named_parameters()))

    def peer(settings: Variant, leaves: Leaves) -> Side:
        cls = getattr(module("spikingjelly.activation_based.rnn"), f"{theirs}Cell")
        made = cls(settings["input_size"], settings["hidden_size"]).double()
        for path, value in leaves.items():
            kind, side = path.split("_")
            implant(made, f"linear_{side}.{kind}", value)

        def run(x: Tensor, start: States) -> Record:
            held, outputs = _given(start, states), list[Tensor]()
            for now in x.unbind(0):
                held = made(now, held)
                outputs.append(held if isinstance(held, Tensor) else held[0])
            return Record(torch.stack(outputs))

        return Side({"step by step": run}, leaves)

    return Pair(
        kind="layer",
        name=f"{name}_cell",
        library=LIBRARY,
        theirs=f"{theirs}Cell",
        ours=ours,
        peer=peer,
        variants=({"input_size": 5, "hidden_size": 5},),
        start=dict.fromkeys(states, (0.0, 1.0)),
        draws=drive((8, 4, 5), -3.0, 3.0),
        spikes=False,
    )


def _stack(name: str, theirs: str, both: bool) -> Pair:
    def ours(settings: Variant) -> Side:
        made = snn.get("layer", name)(**settings, bidirectional=both).double()
        on_eager(made)

        def run(x: Tensor) -> Tensor:
            snn.set_step_mode(made, "m")
            snn.reset(made)
            return made(x)

        return Side({"at once": once(run)}, dict(made.named_parameters()))

    def peer(settings: Variant, leaves: Leaves) -> Side:
        sizes = (settings["input_size"], settings["hidden_size"], settings["num_layers"])
        cls = getattr(module("spikingjelly.activation_based.rnn"), theirs)
        made = cls(*sizes, bidirectional=both).double()
        for path, value in leaves.items():
            _, index, *way, parameter = path.split(".")
            kind, side = parameter.split("_")
            cells = "cells_reverse" if way == ["back"] else "cells"
            implant(made, f"{cells}.{index}.linear_{side}.{kind}", value)
        return Side({"at once": once(lambda x: made(x)[0])}, leaves)

    return Pair(
        kind="layer",
        name=name,
        library=LIBRARY,
        theirs=f"{theirs}, bidirectional" if both else theirs,
        ours=ours,
        peer=peer,
        variants=({"input_size": 5, "hidden_size": 4, "num_layers": 2},),
        draws=drive((8, 4, 5), -3.0, 3.0),
        spikes=False,
    )


def _container(name: str, theirs: str) -> Pair:
    linear = name == "linear_recurrent"

    def ours(settings: Variant) -> Side:
        lif = snn.get("neuron", "lif")(tau=1.5, backend="eager")
        inner = nn.Sequential(nn.Linear(5, 4), lif) if linear else lif
        made: Any = (
            LinearRecurrentContainer(inner, 5, 4) if linear else ElementWiseRecurrentContainer(lif)
        )
        made = made.double()

        def run(x: Tensor) -> Tensor:
            made.step_mode = "m"
            snn.reset(made)
            return made(x)

        def steps(x: Tensor) -> Tensor:
            made.step_mode = "s"
            snn.reset(made)
            return torch.stack([made(now) for now in x.unbind(0)])

        runs = {"at once": once(run), "step by step": once(steps)}
        return Side(runs, dict(made.named_parameters()))

    def peer(settings: Variant, leaves: Leaves) -> Side:
        layers = module("spikingjelly.activation_based.layer")
        neurons = module("spikingjelly.activation_based.neuron")
        functional = module("spikingjelly.activation_based.functional")
        lif = neurons.LIFNode(1.5, surrogate_function=spike_function("atan"))
        inner = nn.Sequential(nn.Linear(5, 4), lif) if linear else lif
        made = (
            layers.LinearRecurrentContainer(inner, 5, 4)
            if linear
            else layers.ElementWiseRecurrentContainer(lif, lambda y, x: x + y)
        )
        for path, value in leaves.items():
            implant(made, path.replace("linear.", "rc."), value)

        def run(x: Tensor) -> Tensor:
            functional.reset_net(made)
            return torch.stack([made(now) for now in x.unbind(0)])

        return Side({"step by step": once(run)}, leaves)

    return Pair(
        kind="layer",
        name=name,
        library=LIBRARY,
        theirs=theirs,
        ours=ours,
        peer=peer,
        draws=drive((8, 4, 5), -8.0, 16.0) if linear else drive((8, 4, 5), -3.0, 4.0),
        mapping="around a LIF" + (" behind a linear layer" if linear else ""),
    )


def pairs() -> list[Pair]:
    """All of them."""
    return [
        *(_cell(name, theirs, states) for name, (theirs, states) in _CELLS.items()),
        *(
            _stack(name, theirs, both)
            for name, (theirs, _) in _CELLS.items()
            for both in (False, True)
        ),
        _container("element_wise_recurrent", "ElementWiseRecurrentContainer"),
        _container("linear_recurrent", "LinearRecurrentContainer"),
    ]
