"""Which events each frame holds: the index ranges of the rules."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.integration.source import Source, span

By: TypeAlias = Literal["count", "time"]
Edge: TypeAlias = Literal["paper", "open"]
Ranges: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]

LONGEST = 1 << 62
"""Microseconds from which on sums of times would leave 64 bits."""


class Plan(NamedTuple):
    """The slices of one recording: slice j begins at ``j stride`` and is ``width`` long.

    Lengths are in microseconds after the first event, or in events. ``closed``: the last slice
    holds everything behind its beginning.
    """

    stride: int
    width: int
    number: int
    closed: bool


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How a recording is cut, see :class:`~snn_datasets.integration.frames.Frames`.

    Raises: ValueError for parameters that say nothing, too much, or what cannot be.
    """

    T: int | None = None
    by: By = "count"
    duration_us: int | None = None
    count: int | None = None
    overlap: int = 0
    drop_last: bool = False
    edge: Edge = "paper"

    def __post_init__(self) -> None:
        what = type(self).__name__
        lengths = {"T": self.T, "duration_us": self.duration_us, "count": self.count}
        given = {name: value for name, value in lengths.items() if value is not None}
        if len(given) != 1:
            got = ", ".join(f"{name}={value}" for name, value in lengths.items())
            raise ValueError(
                f"{what} needs either T (a number of frames) or duration_us (microseconds per "
                f"frame) or count (events per frame), got {got}"
            )
        for name, value in given.items():
            if not 1 <= value <= LONGEST:
                raise ValueError(f"{what}: {name} must be at least 1 and at most 2^62, got {value}")
        check_choice(what, "by", self.by, By)
        check_choice(what, "edge", self.edge, Edge)
        if self.T is None and self.by != "count":
            raise ValueError(f"{what}: by={self.by!r} says what T frames share; give T")
        if self.edge != "paper" and self.duration_us is None:
            raise ValueError(f"{what}: edge={self.edge!r} needs duration_us")
        width = self.duration_us or self.count
        if self.overlap and width is None:
            raise ValueError(f"{what}: overlap={self.overlap} needs duration_us or count")
        if not 0 <= self.overlap < (width or 1):
            raise ValueError(
                f"{what}: overlap must be at least 0 and below the {width} of a frame, got "
                f"{self.overlap}"
            )

    @property
    def timed(self) -> bool:
        """Whether slices are measured in time, not in events."""
        return self.duration_us is not None or (self.T is not None and self.by == "time")

    def plan(self, events: int, span: int) -> Plan:
        """The slices of a recording.

        Args:
            events: how many it has.
            span: microseconds from the first to the last.

        Example:
            >>> Rule(duration_us=10).plan(events=4, span=30)
            Plan(stride=10, width=10, number=3, closed=True)
        """
        extent = span if self.timed else events
        if self.T is not None:
            width, rest = divmod(extent, self.T)
            return Plan(width, width, self.T, not self.drop_last or not rest)
        width = self.duration_us or self.count or 1
        stride = width - self.overlap
        complete = (extent - width) // stride + 1 if extent >= width else 0
        reached = complete > 0 and (complete - 1) * stride + width == extent
        # Where slices are half open, the event at the end of the span lies behind all of them.
        if self.edge == "open":
            reached = False
        if self.drop_last:
            return Plan(stride, width, complete, reached)
        return Plan(stride, width, complete + (events > 0 and not reached), True)

    def plan_of(self, source: Source, first: int, end: int) -> Plan:
        """The slices of the events [first, end).

        Raises: FormatError if they span so long that times cannot be added up.
        """
        reach = span(source, first, end) if self.timed else 0
        if reach > LONGEST:
            raise FormatError(
                f"events span {reach} us from the first to the last, more than 2^62: their times "
                "are damaged"
            )
        return self.plan(end - first, max(reach, 0))

    def plans(self, source: Source, offsets: NDArray[np.int64]) -> list[Plan]:
        """The slices of each recording of a batch."""
        ends = offsets.tolist()
        return [self.plan_of(source, *pair) for pair in itertools.pairwise(ends)]

    def ranges(self, plan: Plan, t: NDArray[np.int64]) -> Ranges:
        """First events of the slices, and the ends of their index ranges.

        Args:
            plan: of this rule.
            t: ascending times.
        """
        begins = np.arange(plan.number, dtype=np.int64) * plan.stride
        ends = begins + plan.width
        if self.timed:
            since = t - t[:1]
            starts, stops = np.searchsorted(since, begins), np.searchsorted(since, ends)
        else:
            starts, stops = np.minimum(begins, t.size), np.minimum(ends, t.size)
        if plan.closed and plan.number:
            stops[-1] = t.size
        return starts, stops


def check_choice(what: str, name: str, value: str, choices: Any) -> None:
    """Compares a parameter with the Literal of its choices.

    Raises: ValueError that names them.
    """
    known = get_args(choices)
    if value not in known:
        listed = ", ".join(repr(choice) for choice in known[:-1])
        raise ValueError(f"{what}: {name} must be {listed} or {known[-1]!r}, got {value!r}")
