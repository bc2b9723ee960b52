"""Counts of events per slice, polarity and pixel, by compiled loops or by numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snn_datasets.compiled import loops
from snn_datasets.errors import FormatError
from snn_datasets.integration.slices import Plan, Rule
from snn_datasets.integration.source import Source, columns
from snn_datasets.sensor import Size

POLARITIES = 2

_AT_ONCE = 1 << 17


class Grid(NamedTuple):
    """The pixels of a frame.

    Args:
        size: (width, height) of the sensor.
        shift: every 2^shift x 2^shift of its pixels make one.
        planes: polarities that are told apart.
    """

    size: Size
    shift: int
    planes: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(P, H, W)"""
        width, height = self.size
        return self.planes, (height - 1 >> self.shift) + 1, (width - 1 >> self.shift) + 1


def count(
    source: Source,
    offsets: NDArray[np.int64],
    rule: Rule,
    plans: Sequence[Plan],
    grid: Grid,
    *,
    dtype: np.dtype[Any],
    most: int,
) -> NDArray[Any]:
    """Frames of several recordings.

    Args:
        source: their events, one recording behind the other.
        offsets: [B + 1] where each begins; the last is the number of events.
        rule, plans: how each is cut.
        grid: the pixels of a frame.
        dtype: of the counts.
        most: where they stop.

    Returns: ``[T, B, P, H, W]``; T is the largest number of slices, and frames behind the last
        slice of a recording are empty.

    Raises: FormatError for times that descend and events off the sensor.
    """
    T = rule.T or max((plan.number for plan in plans), default=0)
    shape = (T, len(plans), *grid.shape)
    compiled = loops("integration.loops")
    if compiled is None:
        events = columns(source)
        check(events, offsets, grid.size)
        return _counted(events, offsets, rule, plans, grid, np.zeros(shape, dtype), most)
    counts = np.zeros(shape, dtype)
    sound = compiled.count(
        source,
        offsets,
        np.array([number for plan in plans for number in plan], np.int64),
        rule.timed,
        grid.size,
        grid.shift or None,
        most,
        counts,
    )
    if not sound:
        check(columns(source), offsets, grid.size)
    return counts


def _counted(
    events: tuple[NDArray[np.int64], ...],
    offsets: NDArray[np.int64],
    rule: Rule,
    plans: Sequence[Plan],
    grid: Grid,
    counts: NDArray[Any],
    most: int,
) -> NDArray[Any]:
    t, x, y, p = events
    planes, height, width = grid.shape
    frame = planes * height * width
    pixel = y >> grid.shift
    pixel *= width
    pixel += x >> grid.shift
    if planes > 1:
        p *= height * width
        pixel += p
    flat = counts.reshape(-1)
    for b, plan in enumerate(plans):
        here = slice(offsets[b], offsets[b + 1])
        starts, stops = rule.ranges(plan, t[here])
        lengths = stops - starts
        place = pixel[here][_each(starts, stops)]
        frames = np.arange(plan.number) * frame
        if lengths.max(initial=0) <= most:
            place = place + np.repeat(frames * len(plans) + b * frame, lengths)
            np.add.at(flat, place, counts.dtype.type(1))
            continue
        # Counts may stop. As many frames at once as the caches hold are counted without an end.
        group = max(1, _AT_ONCE // frame)
        ends = np.append(0, np.cumsum(lengths))
        for j in range(0, plan.number, group):
            some = lengths[j : j + group]
            index = place[ends[j] : ends[j + some.size]] + np.repeat(frames[: some.size], some)
            found = np.bincount(index, minlength=some.size * frame)
            counts[j : j + some.size, b] = np.minimum(found, most).reshape(-1, *grid.shape)
    return counts


def _each(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """All indices of some ranges, one range behind the other."""
    if starts.size and np.array_equal(starts[1:], stops[:-1]):
        return slice(starts[0], stops[-1])
    lengths = stops - starts
    skipped = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - skipped, lengths)


def check(events: tuple[NDArray[np.int64], ...], offsets: NDArray[np.int64], size: Size) -> None:
    """Looks at every event.

    Args:
        events: times, columns, rows, polarities.
        offsets: [B + 1] where recordings begin.
        size: (width, height) of the sensor.

    Raises: FormatError for times that descend within a recording, and events off the sensor.
    """
    t, x, y, p = events
    falls = np.flatnonzero(t[1:] < t[:-1]) + 1
    falls = falls[~np.isin(falls, offsets)]
    if falls.size:
        i = int(falls[0])
        raise FormatError(
            f"times descend from {t[i - 1]} us to {t[i]} us at event {i}; sort the events "
            "first: events[np.argsort(events['t'], kind='stable')]"
        )
    width, height = size
    limits = ((x, width), (y, height), (p, POLARITIES))
    # extremes are found faster than places
    if all(not v.size or (v.min() >= 0 and v.max() < limit) for v, limit in limits):
        return
    off = np.flatnonzero(np.any([(v < 0) | (v >= limit) for v, limit in limits], axis=0))
    i = int(off[0])
    raise FormatError(
        f"event {i} has x={x[i]}, y={y[i]}, p={p[i]}, which is off a sensor of {width} x "
        f"{height} pixels with {POLARITIES} polarities ({off.size} such events); check size"
    )
