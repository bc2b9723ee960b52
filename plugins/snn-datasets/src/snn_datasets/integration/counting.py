"""Counts of events per slice, polarity and pixel, by compiled loops or by numpy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snn_datasets.compiled import loops
from snn_datasets.errors import FormatError
from snn_datasets.integration.slices import Plan, Rule
from snn_datasets.integration.source import Source, columns, length, part, times
from snn_datasets.sensor import Size

POLARITIES = 2

_BLOCK = 1 << 15
# From here on the kernels' pool of buffers serves, for the types that it has.
_LARGE = 1 << 20
_POOLED = ("float32", "uint8", "int32")


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
    offsets: Sequence[int],
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
        offsets: B + 1 places where each begins; the last is the number of events.
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
    counts = _room(shape, dtype)
    if compiled is None:
        counts[...] = 0
        _add(source, offsets, rule, plans, grid, counts, most)
        return counts
    # One array of all: each costs a call of a compiled loop a share of its time.
    table = [*offsets]
    for plan in plans:
        table += plan
    sound = compiled.count(
        source,
        np.array(table, np.int64),
        rule.timed,
        grid.size,
        grid.shift or None,
        most,
        counts,
    )
    if not sound:
        check(columns(source), offsets, grid.size)
    return counts


def _room(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array to be filled. A large one is memory that was used before: fresh pages are slow."""
    if math.prod(shape) * dtype.itemsize < _LARGE or dtype.name not in _POOLED:
        return np.empty(shape, dtype)
    import torch  # arrays of this size alone need it

    from snncore.kernels import pool

    return pool.empty(shape, getattr(torch, dtype.name)).numpy()


def _add(
    source: Source,
    offsets: Sequence[int],
    rule: Rule,
    plans: Sequence[Plan],
    grid: Grid,
    counts: NDArray[Any],
    most: int,
) -> None:
    pixel = _pixels(source, offsets, grid)
    frame, one = int(np.prod(grid.shape)), counts.dtype.type(1)
    for b, plan in enumerate(plans):
        here = slice(offsets[b], offsets[b + 1])
        mine = pixel[here]
        starts, stops = rule.ranges(plan, times(source, here))
        for j, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
            cells = counts[j, b].reshape(-1)
            if stop - start <= most:
                # no count can pass what it may reach
                np.add.at(cells, mine[start:stop], one)
            else:
                np.minimum(
                    np.bincount(mine[start:stop], minlength=frame),
                    most,
                    out=cells,
                    casting="unsafe",
                )


def _pixels(source: Source, offsets: Sequence[int], grid: Grid) -> NDArray[np.int64]:
    """Where in a frame each event belongs, in blocks whose temporaries stay in the caches."""
    planes, height, width = grid.shape
    pixel = np.empty(length(source), np.int64)
    for first in range(0, pixel.size, _BLOCK):
        end = min(first + _BLOCK, pixel.size)
        # the last event before shows a fall between blocks
        begin = max(first - 1, 0)
        events = t, x, y, p = columns(part(source, begin, end))
        falls = np.flatnonzero(t[1:] < t[:-1]) + begin + 1
        if not np.isin(falls, offsets).all() or not _on_sensor(events, grid.size):
            check(columns(source), offsets, grid.size)
        place = pixel[first:end]
        np.right_shift(y[first - begin :], grid.shift, out=place)
        place *= width
        place += x[first - begin :] >> grid.shift
        if planes > 1:
            p *= height * width
            place += p[first - begin :]
    return pixel


def _on_sensor(events: tuple[NDArray[np.int64], ...], size: Size) -> bool:
    _, x, y, p = events
    # extremes are found faster than places
    return all(
        not values.size or (values.min() >= 0 and values.max() < limit)
        for values, limit in ((x, size[0]), (y, size[1]), (p, POLARITIES))
    )


def check(events: tuple[NDArray[np.int64], ...], offsets: Sequence[int], size: Size) -> None:
    """Looks at every event.

    Args:
        events: times, columns, rows, polarities.
        offsets: B + 1 places where recordings begin.
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
    if _on_sensor(events, size):
        return
    width, height = size
    off = np.flatnonzero(
        (x < 0) | (x >= width) | (y < 0) | (y >= height) | (p < 0) | (p >= POLARITIES)
    )
    i = int(off[0])
    raise FormatError(
        f"event {i} has x={x[i]}, y={y[i]}, p={p[i]}, which is off a sensor of {width} x "
        f"{height} pixels with {POLARITIES} polarities ({off.size} such events); check size"
    )
