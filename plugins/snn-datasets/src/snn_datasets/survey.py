"""What recordings are like: how many events, how fast, from which pixels, with which faults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_datasets.sensor import Size

# Beyond the largest event cameras; where no sensor is known, pixels are counted up to here.
_LARGEST: Size = (2048, 2048)
_SIGMAS = 10.0
_LEAST_HOT = 100


@dataclass(frozen=True)
class Hot:
    """A hot pixel and the share of all events that it sent."""

    x: int
    y: int
    share: float


@dataclass(frozen=True)
class Summary:
    """What a survey found.

    Args:
        recordings, events: how many.
        duration_s: seconds from the first to the last event, summed over the recordings.
        shortest_s, longest_s: of single recordings.
        rate_per_s: events per second of recording; None if all lasts no time.
        on_share: share of the events with polarity 1; None without events.
        extent: one more than the greatest x and y of an event on the sensor.
        sensor: (width, height) if known.
        active_pixels: pixels that sent an event.
        hot_pixels: see :class:`Survey`.
        empty: recordings without events.
        order_faults: events that are earlier than the one before.
        out_of_range: events off the sensor, before time 0 or of a polarity above 1.
        damaged: recordings that could not be read, with what was said of the first.
        first_damage: that text.
    """

    recordings: int
    events: int
    duration_s: float
    shortest_s: float
    longest_s: float
    rate_per_s: float | None
    on_share: float | None
    extent: Size
    sensor: Size | None
    active_pixels: int
    hot_pixels: tuple[Hot, ...]
    empty: int
    order_faults: int
    out_of_range: int
    damaged: int
    first_damage: str

    @property
    def faults(self) -> list[str]:
        """What is wrong, in words."""
        counted = (
            (self.damaged, "recording cannot be read", "recordings cannot be read"),
            (self.empty, "recording is empty", "recordings are empty"),
            (self.order_faults, "event is out of order", "events are out of order"),
            (self.out_of_range, "event is out of range", "events are out of range"),
        )
        said = [f"{n:,} {one if n == 1 else many}" for n, one, many in counted if n]
        return [*said, self.first_damage] if self.first_damage else said


class Survey:
    """Gathers what recordings are like, one after the other, in bounded memory.

    A pixel is hot if it sent more than 100 events, and more than the mean over all pixels of the
    sensor by ten standard deviations of these numbers (over the pixels that sent any event, where
    no sensor is known). Both polarities count together.

    Args:
        size: (width, height) of the sensor, if known.

    Example:
        >>> from snn_datasets import make_events
        >>> survey = Survey((4, 4))
        >>> survey.add([make_events(t=[0, 9, 5], x=[0, 1, 7], y=[0, 0, 0], p=[1, 1, 0])])
        >>> survey.summary().faults
        ['1 event is out of order', '1 event is out of range']
    """

    def __init__(self, size: Size | None = None) -> None:
        self.size = size
        width, height = size or _LARGEST
        self._counts = np.zeros(width * height, np.int64)
        self._recordings = self._events = self._on = self._empty = 0
        self._descents = self._outside = self._damaged = 0
        self._spans: list[int] = []
        self._first_damage = ""

    def add(self, chunks: Iterable[NDArray[Any]]) -> None:
        """Takes one recording, whole or in chunks in their order.

        Raises: what ``chunks`` raises; what came before is counted.
        """
        self._recordings += 1
        last: int | None = None
        low = high = count = 0
        try:
            for chunk in chunks:
                if not chunk.size:
                    continue
                t = chunk["t"]
                self._descents += int(np.count_nonzero(t[1:] < t[:-1]))
                self._descents += last is not None and int(t[0]) < last
                least, most = int(t.min()), int(t.max())
                low, high = (min(low, least), max(high, most)) if count else (least, most)
                last = int(t[-1])
                count += chunk.size
                self._count(chunk)
        finally:
            self._events += count
            if count:
                self._spans.append(high - low)
        self._empty += not count

    def refuse(self, reason: str) -> None:
        """Notes that the recording that was added last, or was to be, cannot be read."""
        self._damaged += 1
        self._first_damage = self._first_damage or reason

    def _count(self, chunk: NDArray[Any]) -> None:
        width, height = self.size or _LARGEST
        x, y = chunk["x"].astype(np.int64), chunk["y"].astype(np.int64)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        good = inside & (chunk["t"] >= 0) & (chunk["p"] <= 1)
        self._outside += int(chunk.size - np.count_nonzero(good))
        self._on += int(np.count_nonzero(chunk["p"]))
        pixel, sent = np.unique((y * width + x)[inside], return_counts=True)
        self._counts[pixel] += sent

    def summary(self) -> Summary:
        """What was found so far."""
        width, height = self.size or _LARGEST
        grid = self._counts.reshape(height, width)
        rows, columns = np.nonzero(grid.any(1))[0], np.nonzero(grid.any(0))[0]
        extent = (int(columns[-1]) + 1, int(rows[-1]) + 1) if rows.size else (0, 0)
        seconds = sum(self._spans) / 1e6
        return Summary(
            recordings=self._recordings,
            events=self._events,
            duration_s=seconds,
            shortest_s=min(self._spans, default=0) / 1e6,
            longest_s=max(self._spans, default=0) / 1e6,
            rate_per_s=self._events / seconds if seconds else None,
            on_share=self._on / self._events if self._events else None,
            extent=extent,
            sensor=self.size,
            active_pixels=int(np.count_nonzero(self._counts)),
            hot_pixels=self._hot(),
            empty=self._empty,
            order_faults=self._descents,
            out_of_range=self._outside,
            damaged=self._damaged,
            first_damage=self._first_damage,
        )

    def _hot(self) -> tuple[Hot, ...]:
        counts = self._counts if self.size else self._counts[self._counts > 0]
        if not counts.size:
            return ()
        limit = max(float(counts.mean() + _SIGMAS * counts.std()), _LEAST_HOT)
        hot = np.flatnonzero(self._counts > limit)
        hottest = hot[np.argsort(-self._counts[hot], kind="stable")]
        width = (self.size or _LARGEST)[0]
        return tuple(
            Hot(int(i % width), int(i // width), float(self._counts[i] / self._events))
            for i in hottest
        )
