"""Whether two runs are the same, and where they first are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from snncore.chip.trace import Trace
from snncore.errors import ConfigError

Policy: TypeAlias = Literal["exact", "rounded", "behavioural"]

# Spikes of a behavioural comparison: same winner in so many samples, rates this close.
_AGREEMENT = 0.97
_RATE = 0.05


@dataclass(frozen=True)
class Difference:
    """The first place where two runs part.

    Args:
        sample, step: which.
        layer: the user's module path; "output" for what leaves the network.
        neuron: index within the layer, without batch and time.
        expected, got: the two values there.
        states: by name, the two values of each recorded state there.
    """

    sample: int
    layer: str
    neuron: tuple[int, ...]
    step: int
    expected: float
    got: float
    states: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __str__(self) -> str:
        where = ", ".join(map(str, self.neuron))
        states = "".join(
            f"; {name} is {got:g}, expected {expected:g}"
            for name, (expected, got) in self.states.items()
        )
        return (
            f"sample {self.sample}, step {self.step}, layer {self.layer}, neuron ({where}): "
            f"{self.got:g}, expected {self.expected:g}{states}"
        )


@dataclass(frozen=True)
class ParityReport:
    """How two runs compare.

    Args:
        policy: what was asked for.
        bins: values of outputs and recorded layers that were compared.
        mismatches: how many of them differ by more than the policy allows.
        largest: the largest difference of any of them.
        agreement: share of samples in which the same output neuron fires most.
        rates: largest difference of the mean activity of a layer.
        first: the first difference in time, of those the first layer; None if there is none.
    """

    policy: Policy
    bins: int
    mismatches: int
    largest: float
    agreement: float
    rates: float
    first: Difference | None

    @property
    def ok(self) -> bool:
        """Whether the policy is met."""
        if self.policy == "behavioural":
            return self.agreement >= _AGREEMENT and self.rates <= _RATE
        return self.mismatches == 0

    def __str__(self) -> str:
        verdict = "same" if self.ok else "different"
        found = (
            f"{verdict} ({self.policy}): {self.mismatches} of {self.bins} values differ, by at "
            f"most {self.largest:g}; same winner in {self.agreement:.1%} of the samples, mean "
            f"activity differs by at most {self.rates:.3g}"
        )
        if self.policy == "behavioural" and not self.ok:
            found += f" (asked for are {_AGREEMENT:.0%} and {_RATE:g})"
        return f"{found}\nfirst: {self.first}" if self.first else found


def compare(
    expected: Trace, got: Trace, policy: Policy = "exact", *, tolerance: float = 0.0
) -> ParityReport:
    """Compares outputs, and the layers that both runs recorded.

    Runs with latency are shifted against each other: all T steps of the input are compared, and
    what a run does before its first or after its last answer is not.

    Args:
        expected, got: runs of one input of T steps, ``[T + latency, N, *]``.
        policy: "exact": every value is equal; "rounded": within ``tolerance``; "behavioural": the
            same winner in 97 % of the samples and mean activities within 0.05.
        tolerance: allowed absolute difference of "rounded".

    Raises: ConfigError for another policy, and runs whose steps or shapes do not fit.

    Example:
        >>> one = Trace(torch.tensor([[[0.0]], [[1.0]]]))
        >>> late = Trace(torch.tensor([[[0.0]], [[0.0]], [[1.0]]]), latency=1)
        >>> compare(one, late).ok, compare(one, Trace(late.output[:2])).first.step
        (True, 1)
    """
    if policy not in get_args(Policy):
        raise ConfigError(f"parity is exact, rounded or behavioural, got {policy!r}")
    allowed = tolerance if policy == "rounded" else 0.0
    steps = len(expected.output) - expected.latency
    if len(got.output) - got.latency != steps:
        raise ConfigError(
            f"parity: {len(got.output)} steps of latency {got.latency} answer another input than "
            f"{len(expected.output)} steps of latency {expected.latency}; a run of T steps gives "
            "T + latency, until the last input has come out"
        )
    layers = [
        (path, *_aligned(expected.spikes[path], got.spikes[path], *shifts, steps))
        for path in expected.spikes
        if path in got.spikes
        for shifts in (_delays(expected, got, path),)
    ]
    ends = _aligned(expected.output, got.output, expected.latency, got.latency, steps)
    layers.append(("output", *ends))
    bins = mismatches = 0
    largest = rates = 0.0
    first: Difference | None = None
    for path, a, b in layers:
        if a.shape != b.shape:
            raise ConfigError(
                f"parity: {path} has shape {list(b.shape)}, expected is {list(a.shape)}"
            )
        if len(a) != steps:
            raise ConfigError(f"parity: {path} ends after {len(a)} of {steps} steps")
        gap = (a.double() - b.double()).abs()
        wrong = ~(gap <= allowed)
        bins += gap.numel()
        mismatches += int(wrong.sum())
        if gap.numel():
            largest = max(largest, float(gap.nan_to_num(torch.inf).max()))
            rates = max(rates, abs(float(a.double().mean() - b.double().mean())))
        if wrong.any():
            found = _first(path, wrong, a, b, expected, got)
            if first is None or found.step < first.step:
                first = found
    agreement = _agreement(*ends)
    return ParityReport(policy, bins, mismatches, largest, agreement, rates, first)


def _delays(expected: Trace, got: Trace, path: str) -> tuple[int, int]:
    return expected.delays.get(path, 0), got.delays.get(path, 0)


def _aligned(a: Tensor, b: Tensor, before: int, after: int, steps: int) -> tuple[Tensor, Tensor]:
    return a[before : before + steps], b[after : after + steps]


def _first(
    path: str, wrong: Tensor, a: Tensor, b: Tensor, expected: Trace, got: Trace
) -> Difference:
    step, sample, *neuron = (int(i) for i in wrong.nonzero()[0])
    where = (step, sample, *neuron)
    both = expected.states.get(path, {}), got.states.get(path, {})
    shifts = _delays(expected, got, path)
    states = {
        name: (
            float(both[0][name][(step + shifts[0], *where[1:])]),
            float(both[1][name][(step + shifts[1], *where[1:])]),
        )
        for name in both[0]
        if name in both[1]
    }
    return Difference(sample, path, tuple(neuron), step, float(a[where]), float(b[where]), states)


def _agreement(a: Tensor, b: Tensor) -> float:
    if not a.numel():
        return 1.0
    winners = [run.double().sum(0).flatten(1).argmax(1) for run in (a, b)]
    return float((winners[0] == winners[1]).double().mean())
