"""Frames: how often each pixel changed in each slice of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snn_datasets.integration.counting import POLARITIES, Grid, count
from snn_datasets.integration.slices import By, Edge, Plan, Rule, check_choice
from snn_datasets.integration.source import Source, check_offsets, length, source_of
from snn_datasets.sensor import Size

Counts: TypeAlias = Literal["float32", "uint8", "uint16", "int32"]
Polarity: TypeAlias = Literal["both", "merge"]

# Where counts stop: the largest value, or the last from which float32 counts on.
_MOST = {"float32": 1 << 24, "uint8": 255, "uint16": 65_535, "int32": (1 << 31) - 1}


@dataclass(frozen=True, kw_only=True)
class Frames(Rule):
    """Counts the events of each pixel, polarity and slice of time.

    For events i = 0..N-1 at times t_i and slices j::

        F(j, p, y, x) = #{i : j(i) = j, p_i = p, y_i >> shift = y, x_i >> shift = x}
        T, by="count":  j(i) = min(floor(i / n), T - 1),            n = floor(N / T)
        T, by="time":   j(i) = min(floor((t_i - t_0) / D), T - 1),  D = floor((t_N-1 - t_0) / T)
        duration_us:    j(i) = min(floor((t_i - t_0) / d), T - 1),  T = ceil((t_N-1 - t_0) / d)
        count:          j(i) = floor(i / c),                        T = ceil(N / c)

    Each event is in one frame, unless ``drop_last`` or ``overlap`` says otherwise. With n = 0 or
    D = 0 all events lie in the last slice. No event at all gives ``T`` empty frames, or none by
    duration and by count of events; a single one gives one frame.

    Args:
        T: number of frames; this, ``duration_us`` or ``count``.
        by: what the ``T`` frames share evenly, events or time.
        duration_us: microseconds of a frame; the number of frames follows.
        count: events of a frame; the number of frames follows.
        overlap: microseconds (of ``duration_us``) or events (of ``count``) that a frame shares with
            the one before. Its events are in both.
        drop_last: leave out what follows the last whole slice: the rest of N / T, or of the span
            / T, or the last frame where it is not full.
        edge: where ``duration_us`` divides the span, the event at its very end joins the last frame
            ("paper", as above) or has a frame of its own ("open": T = floor(span / d) + 1).
        dtype: of the frames. Counts stop at its largest value (float32: at 2^24).
        binary: 1 where there is any event.
        shift: each 2^shift x 2^shift pixels of the sensor are one; H and W are rounded up.
        polarity: "both" gives P = 2; "merge" counts both in P = 1.
        crop: (width, height) of the middle of each frame, which alone is kept; after ``shift``.

    Shape: events N; frames ``[T, P, H, W]``.

    Raises: ValueError for parameters that say nothing, too much, or what cannot be.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[0, 1, 9], x=[0, 0, 1], y=[0, 0, 0], p=[1, 1, 0])
        >>> Frames(T=2, by="time", dtype="uint8")(events, (2, 1))[:, 1, 0, 0].tolist()
        [2, 0]

    Source: Eq. 16-22 of the SpikingJelly paper (Fang et al., Science Advances 9, 2023).
    """

    dtype: Counts = "float32"
    binary: bool = False
    shift: int = 0
    polarity: Polarity = "both"
    crop: Size | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("Frames", "dtype", self.dtype, Counts)
        check_choice("Frames", "polarity", self.polarity, Polarity)
        if not 0 <= self.shift < 16:
            raise ValueError(f"Frames: shift must be from 0 to 15, got {self.shift}")
        if self.crop is not None and min(self.crop) < 1:
            raise ValueError(f"Frames: crop must be at least 1 x 1, got {self.crop}")

    def __call__(self, events: NDArray[Any], size: Size) -> NDArray[Any]:
        """Frames of one recording.

        Args:
            events: structured array with integer fields t (microseconds, ascending), x, y, p, or
                words of :func:`snn_datasets.packed.pack`. It is not changed.
            size: (width, height) of the sensor in pixels.

        Raises: FormatError for times that descend or are no integers, and events off the sensor;
            ValueError for a crop that is larger than the frame.
        """
        source = source_of(events)
        number = length(source)
        plans = (self.plan_of(source, 0, number),)
        return self._counted(source, (0, number), plans, size)[:, 0]

    def batch(self, events: NDArray[Any], offsets: NDArray[Any], size: Size) -> NDArray[Any]:
        """Frames of several recordings at once.

        Args:
            events: the recordings one behind the other, each as for a single call.
            offsets: [B + 1] recording b is ``events[offsets[b]:offsets[b + 1]]``.
            size: (width, height) of the sensor in pixels.

        Returns: array ``[T, B, P, H, W]``, as networks take it. Where recordings have different
            numbers of frames, those behind the last of a recording are empty; :meth:`lengths`.

        Raises: FormatError as for a single call, and for offsets that are none.

        Example:
            >>> from snn_datasets import make_events
            >>> events = make_events(t=[0, 9, 0], x=[0, 0, 1], y=[0, 0, 0], p=[1, 1, 0])
            >>> Frames(T=4).batch(events, np.array([0, 2, 3]), (2, 1)).shape
            (4, 2, 2, 1, 2)
        """
        source = source_of(events)
        places = check_offsets(offsets, length(source))
        return self._counted(source, places.tolist(), self.plans(source, places), size)

    def lengths(self, events: NDArray[Any], offsets: NDArray[Any]) -> NDArray[np.int64]:
        """How many frames each recording of a batch has: int64 ``[B]``.

        Args:
            events, offsets: as of :meth:`batch`.

        Example:
            >>> from snn_datasets import make_events
            >>> events = make_events(t=[0, 9, 0], x=[0, 0, 1], y=[0, 0, 0], p=[1, 1, 0])
            >>> Frames(duration_us=3).lengths(events, np.array([0, 2, 3])).tolist()
            [3, 1]
        """
        source = source_of(events)
        plans = self.plans(source, check_offsets(offsets, length(source)))
        return np.array([plan.number for plan in plans], np.int64)

    def _counted(
        self, source: Source, offsets: Sequence[int], plans: Sequence[Plan], size: Size
    ) -> NDArray[Any]:
        middle = self.middle(size)
        found = count(
            source, offsets, self, plans, self.grid(size), dtype=self._stored, most=self.most
        )
        # A copy, as a view would keep what was cut off.
        return found if middle is None else np.ascontiguousarray(found[middle])

    @cached_property
    def _stored(self) -> np.dtype[Any]:
        return np.dtype(self.dtype)

    def shape(self, size: Size) -> tuple[int, int, int]:
        """(P, H, W) of the frames of a sensor of ``size``.

        Raises: ValueError as :meth:`middle`.

        Example:
            >>> Frames(T=4, shift=2, crop=(20, 30)).shape((128, 128))
            (2, 30, 20)
        """
        planes, height, width = self.grid(size).shape
        if self.middle(size) is not None and self.crop is not None:
            width, height = self.crop
        return planes, height, width

    def middle(self, size: Size) -> tuple[Any, ...] | None:
        """Index of what is kept of frames ``[*, H, W]`` of a sensor of ``size``; None for all.

        Raises: ValueError for a crop that is larger than the frame.
        """
        if self.crop is None:
            return None
        _, height, width = self.grid(size).shape
        x0, y0 = (width - self.crop[0]) // 2, (height - self.crop[1]) // 2
        if min(x0, y0) < 0:
            raise ValueError(
                f"Frames: a crop of {self.crop[0]} x {self.crop[1]} pixels is larger than the "
                f"frame of {width} x {height}"
            )
        return (..., slice(y0, y0 + self.crop[1]), slice(x0, x0 + self.crop[0]))

    def grid(self, size: Size) -> Grid:
        """The pixels of a frame of a sensor of ``size``, before ``crop``."""
        return Grid(size, self.shift, POLARITIES if self.polarity == "both" else 1)

    @cached_property
    def most(self) -> int:
        """The value at which counts stop."""
        return 1 if self.binary else _MOST[self.dtype]


def frames(
    events: NDArray[Any],
    *,
    size: Size,
    T: int | None = None,
    by: By = "count",
    duration_us: int | None = None,
    count: int | None = None,
    overlap: int = 0,
    drop_last: bool = False,
    edge: Edge = "paper",
    dtype: Counts = "float32",
    binary: bool = False,
    shift: int = 0,
    polarity: Polarity = "both",
    crop: Size | None = None,
) -> NDArray[Any]:
    """Counts the events of each pixel, polarity and slice of time: :class:`Frames` in one call.

    Args:
        events: structured array with integer fields t (microseconds, ascending), x, y, p, or words
            of :func:`snn_datasets.packed.pack`.
        size: (width, height) of the sensor in pixels.
        T, by, duration_us, count, overlap, drop_last, edge: which events a frame holds, see
            :class:`Frames`. By default each is in one frame.
        dtype, binary, shift, polarity, crop: what a frame is, see :class:`Frames`.

    Returns: array ``[T, P, H, W]``.

    Raises:
        ValueError: not exactly one of ``T``, ``duration_us`` and ``count`` is given, or a
            parameter is out of range.
        FormatError: times that descend or are no integers, or events off the sensor.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[0, 1, 9], x=[0, 0, 1], y=[0, 0, 0], p=[1, 1, 0])
        >>> frames(events, size=(2, 1), T=2, by="time")[:, 1, 0, 0].tolist()
        [2.0, 0.0]

    Source: Eq. 16-22 of the SpikingJelly paper (Fang et al., Science Advances 9, 2023).
    """
    integrate = Frames(
        T=T,
        by=by,
        duration_us=duration_us,
        count=count,
        overlap=overlap,
        drop_last=drop_last,
        edge=edge,
        dtype=dtype,
        binary=binary,
        shift=shift,
        polarity=polarity,
        crop=crop,
    )
    return integrate(events, size)
