"""How far two sides are apart in outputs, states and gradients."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from oracle.pair import Pair, Variant
from oracle.side import Record, Run, Side, States

TOLERANCE = 1e-5


@dataclass(frozen=True)
class Comparison:
    """What a pair shows in one variant.

    Args:
        apart: by quantity the largest difference, relative to the largest value of the other side.
        spikes: whether outputs were equal to the last bit.
        rate: mean of the output.
        alive: quantities that were not zero throughout.
    """

    apart: Mapping[str, float]
    spikes: bool
    rate: float
    alive: frozenset[str]


def compare(pair: Pair, variant: Variant) -> Comparison:
    """Runs both sides of a pair on the same input from the same states."""
    torch.manual_seed(0)
    ours = pair.ours(variant)
    leaves = {
        name: leaf.detach().clone().requires_grad_(True) for name, leaf in ours.leaves.items()
    }
    theirs = pair.peer(variant, leaves)
    x = pair.draws(_generator(pair.label))
    start = _start(pair, x)
    apart: dict[str, float] = {}
    alive: set[str] = set()
    equal, rate = True, 0.0
    for mine in ours.runs.values():
        for other in theirs.runs.values():
            found, wanted = _together(pair, (ours, mine), (theirs, other), x, start)
            equal = equal and torch.equal(found["output"], wanted["output"])
            rate = wanted["output"].double().mean().item()
            for name, value in wanted.items():
                if value.count_nonzero():
                    alive.add(name)
                apart[name] = max(apart.get(name, 0.0), distance(found[name], value))
    return Comparison(apart, equal, rate, frozenset(alive))


def distance(found: Tensor, wanted: Tensor) -> float:
    """The largest difference, in units of the largest value of ``wanted``."""
    assert found.shape == wanted.shape, f"shapes {list(found.shape)} and {list(wanted.shape)}"
    if not wanted.numel():
        return 0.0
    scale = wanted.double().abs().max().item() or 1.0
    return (found.double() - wanted.double()).abs().max().item() / scale


def _together(
    pair: Pair, ours: tuple[Side, Run], theirs: tuple[Side, Run], x: Tensor, start: States
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    (a, given), (b, taken) = _run(ours[1], x, start), _run(theirs[1], x, start)
    for side, record in ((ours[0], a), (theirs[0], b)):
        assert record.output.isfinite().all(), f"{pair.label}: no finite output of {side}"
    shared = {name: name not in pair.detached for name in b.states if name in a.states}
    names = list(theirs[0].leaves)
    return (
        _quantities(a, given, ours[0], names, shared),
        _quantities(b, taken, theirs[0], names, shared),
    )


def _run(run: Run, x: Tensor, start: States) -> tuple[Record, dict[str, Tensor]]:
    given = {"": x, **start}
    given = {name: value.clone().requires_grad_(True) for name, value in given.items()}
    return run(given[""], {name: given[name] for name in start}), given


def _quantities(
    record: Record,
    given: Mapping[str, Tensor],
    side: Side,
    leaves: list[str],
    shared: Mapping[str, bool],
) -> dict[str, Tensor]:
    """Outputs, states, and gradients of a random mixture of both."""
    values = {"output": record.output, **{name: record.states[name] for name in shared}}
    flows = [name for name in values if shared.get(name, True) and values[name].requires_grad]
    found = {name: value.detach() for name, value in values.items()}
    if not flows:
        return found
    mixed = torch.stack([(values[n] * _weights(n, values[n])).sum().double() for n in flows]).sum()
    wrt = {"input": given[""], **{f"initial {n}": v for n, v in given.items() if n}}
    wrt |= {name: side.leaves[name] for name in leaves}
    # What a side makes of its leaves before it runs is shared by its runs.
    gradients = torch.autograd.grad(mixed, list(wrt.values()), allow_unused=True, retain_graph=True)
    for (name, value), gradient in zip(wrt.items(), gradients, strict=True):
        found[f"gradient of {name}"] = torch.zeros_like(value) if gradient is None else gradient
    return found


def _weights(name: str, like: Tensor) -> Tensor:
    return torch.randn(like.shape, dtype=torch.float64, generator=_generator(name))


def _start(pair: Pair, x: Tensor) -> dict[str, Tensor]:
    found = {}
    for name, (low, high) in pair.start.items():
        drawn = torch.rand(x.shape[1:], dtype=x.dtype, generator=_generator(name))
        found[name] = low + (high - low) * drawn
    return found


def _generator(name: str) -> torch.Generator:
    # Of the name, so that no pair draws what another's place in the table decides.
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))
