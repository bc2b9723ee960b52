"""Time surfaces: how long ago each pixel changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snn_datasets.integration.counting import POLARITIES, check
from snn_datasets.integration.slices import LONGEST, Rule, check_choice
from snn_datasets.integration.source import columns, source_of
from snn_datasets.sensor import Size

Decay: TypeAlias = Literal["exponential", "linear"]


@dataclass(frozen=True, kw_only=True)
class TimeSurface(Rule):
    """The decayed time since the latest event of each pixel and polarity, at the end of slices.

    For slices j that end at e_j, with T_j the time of the latest event there up to then::

        decay="exponential":  S(j, p, y, x) = exp(-(e_j - T_j(p, y, x)) / tau)
        decay="linear":       S(j, p, y, x) = max(0, 1 - (e_j - T_j(p, y, x)) / tau)

    and 0 where there was none. A slice of events ends with its last one. What ``drop_last`` leaves
    out is in no surface.

    Args:
        T, by, duration_us, count, overlap, drop_last, edge: where slices end, as of
            :class:`~snn_datasets.Frames`.
        tau_us: time constant in microseconds.
        decay: how the surface falls.

    Shape: events N; surfaces ``[T, 2, H, W]``, float32.

    Raises: ValueError for parameters that say nothing, too much, or what cannot be.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[0, 40], x=[0, 1], y=[0, 0], p=[1, 1])
        >>> TimeSurface(T=2, by="time", tau_us=80, decay="linear")(events, (2, 1))[:, 1, 0].tolist()
        [[0.75, 0.0], [0.5, 1.0]]

    Source: X. Lagorce et al., HOTS: a hierarchy of event-based time-surfaces for pattern
    recognition, IEEE TPAMI 39(7), 2017, Eq. 2-3.
    """

    tau_us: float
    decay: Decay = "exponential"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.tau_us <= LONGEST:
            raise ValueError(
                f"TimeSurface: tau_us must be above 0 and at most 2^62, got {self.tau_us}"
            )
        check_choice("TimeSurface", "decay", self.decay, Decay)

    def __call__(self, events: NDArray[Any], size: Size) -> NDArray[np.float32]:
        """The surfaces of one recording.

        Args:
            events: structured array with integer fields t (microseconds, ascending), x, y, p, or
                packed words. It is not changed.
            size: (width, height) of the sensor in pixels.

        Raises: FormatError for times that descend or are no integers, and events off the sensor.
        """
        source = source_of(events)
        t, x, y, p = found = columns(source)
        check(found, (0, t.size), size)
        plan = self.plan_of(source, 0, t.size)
        _, stops = self.ranges(plan, t)
        width, height = size
        surface = np.zeros((plan.number, POLARITIES, height, width), np.float32)
        if not plan.number or not t.size:
            return surface
        t -= t[0]
        latest = np.full((plan.number, POLARITIES * height * width), -1)
        seen = slice(0, stops[-1])
        slices = np.repeat(np.arange(plan.number), np.diff(stops, prepend=0))
        # of equal indices the last counts, which is the latest event
        latest[slices, ((p * height + y) * width + x)[seen]] = t[seen]
        np.maximum.accumulate(latest, axis=0, out=latest)
        ends = np.where(stops > 0, t[stops - 1], 0)
        if self.timed:
            ends = np.maximum(ends, np.arange(plan.number) * plan.stride + plan.width)
        age = (ends[:, None] - latest) / self.tau_us
        value = np.exp(-age) if self.decay == "exponential" else np.maximum(1 - age, 0)
        surface.reshape(latest.shape)[:] = np.where(latest >= 0, value, 0)
        return surface
