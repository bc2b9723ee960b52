"""One side of a comparison: a model, ready to run from given states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

import snncore as snn

States: TypeAlias = Mapping[str, Tensor]
Leaves: TypeAlias = Mapping[str, Tensor]
Step: TypeAlias = Callable[[Tensor, States], tuple[Tensor, States]]


@dataclass(frozen=True)
class Record:
    """What a run gave.

    Args:
        output: spikes or values, [T, N, *].
        states: after each step, by our names, [T, N, *].
    """

    output: Tensor
    states: States = field(default_factory=dict[str, Tensor])


Run: TypeAlias = Callable[[Tensor, States], Record]


@dataclass(frozen=True)
class Side:
    """A model with every way to run it.

    Args:
        runs: by name, each from an input [T, N, *] and first states.
        leaves: parameters that receive a gradient, by our names.
    """

    runs: Mapping[str, Run]
    leaves: Leaves = field(default_factory=dict[str, Tensor])


def joined(output: Any) -> Tensor:
    """One tensor of an output that may be several."""
    return output if isinstance(output, Tensor) else torch.stack(tuple(output), -1)


def loop(step: Step) -> Run:
    """A run that repeats one step and keeps the states after each."""

    def run(x: Tensor, start: States) -> Record:
        states, outputs = dict(start), list[Tensor]()
        after: dict[str, list[Tensor]] = {}
        for now in x.unbind(0):
            output, found = step(now, states)
            states = dict(found)
            outputs.append(output)
            for name, value in states.items():
                after.setdefault(name, []).append(value)
        return Record(torch.stack(outputs), {n: torch.stack(seq) for n, seq in after.items()})

    return run


def once(forward: Callable[[Tensor], Tensor]) -> Run:
    """A run of something that takes the whole sequence and shows no state."""
    return lambda x, _: Record(forward(x))


def leaves_of(module: nn.Module) -> dict[str, Tensor]:
    """The parameters of our side, each a leaf of its own."""
    return dict(module.named_parameters())


def neuron(name: str, settings: Mapping[str, Any], learnable: Sequence[str] = ()) -> Side:
    """One of our neurons, from explicit states step by step and from held ones at once."""
    made = snn.get("neuron", name)(**settings, backend="eager", store_v_seq=True)
    if learnable:
        made.make_learnable(list(learnable))
    made = made.double()
    call, init = snn.functional(made)

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        made.step_mode = "s"
        # A state that nobody gives starts by itself.
        held = {**(init(x)[""] if len(states) < len(made.states) else {}), **states}
        y, after = call(x, {"": held})
        return joined(y), after[""]

    def whole(x: Tensor, start: States) -> Record:
        made.step_mode = "s"
        first = {**init(x[0])[""], **start}
        made.step_mode = "m"
        snn.reset(made)
        for state, value in first.items():
            setattr(made, state, value)
        y = made(x)
        assert made.v_seq is not None
        return Record(joined(y), {"v": made.v_seq})

    return Side({"step by step": loop(step), "at once": whole}, leaves_of(made))


def on_eager(net: nn.Module) -> None:
    """Lets everything inside run the equations themselves, to which tests hold the kernels."""
    for part in net.modules():
        if "backend" in vars(part):
            part.backend = "eager"


def livelier(net: nn.Module, gain: float) -> None:
    """Widens what norms give, so that the neurons behind them fire."""
    with torch.no_grad():
        for name, value in net.named_parameters():
            if name.endswith("norm.weight"):
                value *= gain


def layer(
    kind: str,
    name: str,
    settings: Mapping[str, Any],
    *,
    stepwise: bool = True,
    gain: float = 1.0,
) -> Side:
    """One of our other components, at once and, where it can, one step after the other."""
    made = snn.get(kind, name)(**settings)
    made = made.double()
    on_eager(made)
    livelier(made, gain)

    def whole(x: Tensor) -> Tensor:
        snn.set_step_mode(made, "m")
        snn.reset(made)
        return made(x)

    def steps(x: Tensor) -> Tensor:
        snn.set_step_mode(made, "s")
        snn.reset(made)
        return torch.stack([made(now) for now in x.unbind(0)])

    runs = {"at once": once(whole)}
    if stepwise:
        runs["step by step"] = once(steps)
    return Side(runs, leaves_of(made))
