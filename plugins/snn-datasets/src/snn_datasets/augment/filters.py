"""Filters of what is no signal: events too soon, events alone, pixels that never rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_datasets.augment.augmentation import Augmentation
from snn_datasets.augment.choice import check_duration
from snn_datasets.compiled import loops
from snn_datasets.sensor import Size

_NEIGHBOURS = tuple((dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if (dx, dy) != (0, 0))
_LOOPS = "augment.loops"


@dataclass(frozen=True)
class RefractoryFilter(Augmentation):
    """Gives each pixel and polarity a refractory period after every event that is kept.

    An event is dropped if t - t_k < duration, t_k the last kept event of its pixel and polarity.

    Events that are dropped do not prolong the period (in Tonic they do, and both polarities share
    one). Nothing is random.

    Args:
        duration_us: the period in microseconds; 0 keeps all.

    Raises: ValueError for a negative duration.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[0, 6, 11], x=[3] * 3, y=[4] * 3, p=[1] * 3)
        >>> RefractoryFilter(10)(events, np.random.default_rng(0), (34, 34))["t"].tolist()
        [0, 11]

    Source: T. Delbruck, Frame-free dynamic digital vision, International Symposium on
    Secure-Life Electronics, 2008.
    """

    duration_us: int

    def __post_init__(self) -> None:
        check_duration(self.duration_us, name="duration_us")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        t, x, y, p = (events[field].astype(np.int64) for field in "txyp")
        cell = (p * size[1] + y) * size[0] + x
        compiled = loops(_LOOPS)
        if compiled is not None:
            return events[compiled.rested(t, cell, 2 * size[0] * size[1], self.duration_us)]
        return events[_rested(t, cell, self.duration_us)]


@dataclass(frozen=True)
class Denoise(Augmentation):
    """Background activity filter: drops events without an earlier one nearby.

    An event at (x, y, t) is kept if an earlier event of the recording, of either polarity, lies at
    one of the eight pixels around (x, y), not at (x, y) itself, and at most ``duration`` before t.

    So the first event of each object is dropped. Tonic looks at the four pixels beside, and takes
    all events before ``duration`` for supported. Nothing is random.

    Args:
        duration_us: greatest distance in time, in microseconds.

    Raises: ValueError for a negative duration.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[0, 6, 30], x=[3, 4, 3], y=[4, 5, 4], p=[1, 0, 0])
        >>> Denoise(10)(events, np.random.default_rng(0), (34, 34))["t"].tolist()
        [6]

    Source: T. Delbruck, Frame-free dynamic digital vision, International Symposium on
    Secure-Life Electronics, 2008.
    """

    duration_us: int

    def __post_init__(self) -> None:
        check_duration(self.duration_us, name="duration_us")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        t, x, y = (events[field].astype(np.int64) for field in "txy")
        compiled = loops(_LOOPS)
        if compiled is not None:
            return events[compiled.supported(t, x, y, *size, self.duration_us)]
        return events[_supported(t, x, y, size, self.duration_us)]


@dataclass(frozen=True)
class HotPixelFilter(Augmentation):
    """Drops all events of the pixels that send more than so many a second, in this recording.

    A pixel is hot if 10^6 n > f (t_N-1 - t_0), n its events of both polarities

    A recording without length has no rates: nothing is dropped. Nothing is random.

    Args:
        most_hz: f, events per second that a pixel may send.

    Raises: ValueError for a rate of 0 or below.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[0, 10**5, 10**6], x=[3, 3, 4], y=[4, 4, 5], p=[1, 0, 1])
        >>> HotPixelFilter(1)(events, np.random.default_rng(0), (34, 34))["x"].tolist()
        [4]

    Source: Tonic (G. Lenz et al., 2021), "drop pixel".
    """

    most_hz: float

    def __post_init__(self) -> None:
        if not self.most_hz > 0:
            raise ValueError(f"most_hz must be a rate above 0, got {self.most_hz!r}")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        t = events["t"]
        span = int(t[-1]) - int(t[0]) if len(events) else 0
        if not span:
            return events.copy()
        pixel = events["y"].astype(np.int64) * size[0] + events["x"]
        count = np.bincount(pixel, minlength=size[0] * size[1])
        hot = count * 10**6 > self.most_hz * span
        return events[~hot[pixel]]


def _rested(t: NDArray[np.int64], cell: NDArray[np.int64], duration: int) -> NDArray[np.bool_]:
    """As the compiled loop: who follows whom is found for all events, then followed at once."""
    order = np.argsort(cell, kind="stable")
    t, cell = t[order], cell[order]
    times = np.unique(t)
    # A key of cell and rank of time cannot overflow, whatever the times are.
    step = times.size + 1
    key = cell * step + np.searchsorted(times, t)
    # The successor is the first event of the cell that may be kept, so at least the next one.
    rest = np.searchsorted(times, t + duration)
    following = np.maximum(np.searchsorted(key, cell * step + rest), np.arange(t.size) + 1)
    end = np.searchsorted(cell, cell, side="right")
    following = np.append(np.where(following < end, following, t.size), t.size)
    kept = np.zeros(t.size + 1, np.bool_)
    kept[:-1] = np.diff(cell, prepend=-1) != 0
    # Each round doubles how many successors of a first event are reached.
    for _ in range(int(t.size).bit_length()):
        kept[following[kept]] = True
        following = following[following]
    result = np.empty(t.size, np.bool_)
    result[order] = kept[:-1]
    return result


def _supported(
    t: NDArray[np.int64], x: NDArray[np.int64], y: NDArray[np.int64], size: Size, duration: int
) -> NDArray[np.bool_]:
    """As the compiled loop: the latest earlier event at each neighbour is found by bisection."""
    count, width = t.size, size[0] + 2
    number = np.arange(count)
    # Pixels that never see an event around the sensor, and one before the first
    pixel = (y + 1) * width + x + 1
    key = pixel * count + number
    order = np.argsort(key)
    key = np.append(-1, key[order])
    kept = np.zeros(count, np.bool_)
    for dx, dy in _NEIGHBOURS:
        neighbour = pixel + dy * width + dx
        place = np.searchsorted(key, neighbour * count + number) - 1
        earlier = key[place] - neighbour * count
        found = (earlier >= 0) & (place > 0)
        kept[found] |= t[found] - t[earlier[found]] <= duration
    return kept
