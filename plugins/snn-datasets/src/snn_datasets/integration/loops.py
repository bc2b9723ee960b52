"""Compiled loops that count events."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numba.core import types
from numba.extending import overload
from numpy.typing import NDArray

from snn_datasets.integration.source import Source


def event(source: Source, i: int) -> tuple[int, int, int, int]:
    """Time, column, row, polarity of an event, in compiled code alone."""
    raise TypeError("numba puts the function for the type of the source in place of this one")


@overload(event, inline="always")
def _event(source: Any, i: Any) -> Any:
    if isinstance(source, types.BaseTuple):

        def of_columns(source: Any, i: Any) -> Any:
            return (
                np.int64(source[0][i]),
                np.int64(source[1][i]),
                np.int64(source[2][i]),
                np.int64(source[3][i]),
            )

        return of_columns
    if source.ndim == 1:

        def of_word(source: Any, i: Any) -> Any:
            word = source[i]
            return (
                np.int64(word >> np.uint64(32)),
                np.int64(word >> np.uint64(1) & np.uint64(0xFFFF)),
                np.int64(word >> np.uint64(17) & np.uint64(0x7FFF)),
                np.int64(word & np.uint64(1)),
            )

        return of_word

    def of_words(source: Any, i: Any) -> Any:
        word = source[i, 1]
        return (
            np.int64(source[i, 0]),
            np.int64(word >> np.uint64(1) & np.uint64(0xFFFFFFFF)),
            np.int64(word >> np.uint64(33)),
            np.int64(word & np.uint64(1)),
        )

    return of_words


@njit(nogil=True, cache=True)
def _first(source: Source, least: int, start: int, stop: int) -> int:
    """The first event in [start, stop) that is not before ``least``."""
    while start < stop:
        middle = (start + stop) // 2
        if event(source, middle)[0] < least:
            start = middle + 1
        else:
            stop = middle
    return start


@njit(nogil=True, cache=True)
def _add(
    source: Source,
    previous: int,
    start: int,
    stop: int,
    size: tuple[int, int],
    shift: int | None,
    columns: int,
    base: int,
    plane: int,
    most: int,
    counts: NDArray[Any],
) -> bool:
    """Counts the events [start, stop). Returns: whether they ascend from ``previous`` and fit."""
    ascend = True
    width, height = np.uint64(size[0]), np.uint64(size[1])
    for i in range(np.uint64(start), np.uint64(stop)):
        t, x, y, p = event(source, i)
        ascend &= t >= previous
        previous = t
        # as unsigned numbers negative ones are large
        if not ((np.uint64(x) < width) & (np.uint64(y) < height) & (np.uint64(p) < np.uint64(2))):
            return False
        # None is a type of its own: it has loops without shifts
        if shift is not None:
            x, y = x >> shift, y >> shift
        place = np.uint64(base + p * plane + y * columns + x)
        value = counts[place]
        if value < most:
            counts[place] = value + 1
    return bool(ascend)


@njit(nogil=True, cache=True)
def _sound(source: Source, previous: int, start: int, stop: int, size: tuple[int, int]) -> bool:
    """Whether the events [start, stop) ascend from ``previous`` and lie on the sensor."""
    sound = True
    width, height = np.uint64(size[0]), np.uint64(size[1])
    for i in range(np.uint64(start), np.uint64(stop)):
        t, x, y, p = event(source, i)
        on = (np.uint64(x) < width) & (np.uint64(y) < height) & (np.uint64(p) < np.uint64(2))
        sound &= on & (t >= previous)
        previous = t
    return bool(sound)


@njit(nogil=True, cache=True)
def count(
    source: Source,
    table: NDArray[np.int64],
    timed: bool,
    size: tuple[int, int],
    shift: int | None,
    most: int,
    counts: NDArray[Any],
) -> bool:
    """Counts the events of every slice of every recording.

    All events are looked at, also those in no slice. The loops are memory-safe whatever events
    hold.

    Args:
        table: [B + 1 + 4 B] where recordings begin, recording b being the events
            table[b] .. table[b + 1] - 1, and their slices.
        timed: whether these are measured in time.
        size: (width, height) of the sensor.
        shift: of the coordinates to the right, if there is one.
        most: where counts stop.
        counts: [T, B, P, H, W], of which the values do not matter. Each frame is cleared right
            before its events are counted, so that it is in the caches then.

    Returns: whether every time ascends and every event lies on the sensor.
    """
    T, B, planes, rows, columns = counts.shape
    frame = planes * rows * columns
    # merged polarities lie on one plane
    step = rows * columns if planes > 1 else 0
    flat = counts.reshape(counts.size)
    for b in range(B):
        begin, end = table[b], table[b + 1]
        plan = B + 1 + 4 * b
        stride, width, number, closed = table[plan : plan + 4]
        for j in range(0 if begin == end else number, T):
            base = (j * B + b) * frame
            flat[base : base + frame] = 0
        if begin == end:
            continue
        start = stop = begin
        origin = event(source, begin)[0]
        for j in range(number):
            before = stop
            if timed:
                start = _first(source, origin + j * stride, start, before)
                stop = _first(source, origin + j * stride + width, before, end)
            else:
                start = min(begin + j * stride, end)
                stop = min(begin + j * stride + width, end)
            if closed and j == number - 1:
                stop = end
            previous = event(source, max(start - 1, begin))[0]
            base = (j * B + b) * frame
            flat[base : base + frame] = 0
            if not _add(
                source, previous, start, stop, size, shift, columns, base, step, most, flat
            ):
                return False
        previous = event(source, max(stop - 1, begin))[0]
        if not _sound(source, previous, stop, end, size):
            return False
    return True


@njit(nogil=True, cache=True)
def spread(
    source: Source,
    number: int,
    reach: int,
    size: tuple[int, int],
    near: NDArray[np.float64],
    after: NDArray[np.float64],
) -> bool:
    """Adds the weight of every event to its bin, and the rest of it to the same place of ``after``.

    Args:
        number: of events.
        reach: microseconds from the first to the last, at least 1.
        size: (width, height) of the sensor.
        near, after: zeros [B, P, H, W]; with P = 1 weights have the sign of the polarity.

    Returns: whether every time ascends and every event lies on the sensor.
    """
    bins, planes = near.shape[0], near.shape[1]
    origin = event(source, 0)[0] if number else 0
    if not _sound(source, origin, 0, number, size):
        return False
    for i in range(number):
        t, x, y, p = event(source, i)
        place = (t - origin) * (bins - 1)
        left = place // reach
        weight = (place - left * reach) / reach
        if planes == 2:
            near[left, p, y, x] += 1 - weight
            after[left, p, y, x] += weight
        elif p:
            near[left, 0, y, x] += 1 - weight
            after[left, 0, y, x] += weight
        else:
            near[left, 0, y, x] += weight - 1
            after[left, 0, y, x] += -weight
    return True
