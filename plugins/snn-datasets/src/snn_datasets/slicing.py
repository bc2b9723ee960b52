"""Cutting events into frames, exactly."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError

By: TypeAlias = Literal["count", "time"]

_POLARITIES = 2


def frames(
    events: NDArray[Any],
    *,
    size: tuple[int, int],
    T: int | None = None,
    by: By = "count",
    duration_us: int | None = None,
) -> NDArray[np.float32]:
    """Counts the events of each pixel, polarity and time slice; each event is counted once.

    For events i = 0..N-1 and slices j::

        F(j, p, y, x) = #{i : j(i) = j, p_i = p, y_i = y, x_i = x}
        by="count":   j(i) = min(floor(i / n), T - 1),                n = floor(N / T)
        by="time":    j(i) = min(floor((t_i - t_0) / D), T - 1),      D = floor((t_N-1 - t_0) / T)
        duration_us:  j(i) = min(floor((t_i - t_0) / d), T - 1),      T = ceil((t_N-1 - t_0) / d)

    With n = 0 or D = 0 all events lie in the last slice. No event at all gives ``T`` empty frames,
    or none by duration; a single one gives one frame by duration.

    Args:
        events: structured array with fields t (integer, microseconds, ascending), x, y, p.
        size: (width, height) of the sensor in pixels.
        T: number of frames; this or ``duration_us``.
        by: what the ``T`` frames share evenly, events or time.
        duration_us: microseconds of a frame; the number of frames follows.

    Returns: float32 array ``[T, P, H, W]`` with P = 2.

    Raises:
        ValueError: not exactly one of ``T`` and ``duration_us`` is given, or it is below 1.
        FormatError: times that descend or are no integers, or events off the sensor.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[0, 1, 9], x=[0, 0, 1], y=[0, 0, 0], p=[1, 1, 0])
        >>> frames(events, size=(2, 1), T=2, by="time")[:, 1, 0, 0].tolist()
        [2.0, 0.0]

    Source: Eq. 16-22 of the SpikingJelly paper (Fang et al., Science Advances 9, 2023).
    """
    width, height = size
    if by not in get_args(By):
        raise ValueError(f"frames: by must be 'count' or 'time', got {by!r}")
    t, pixel = _checked(events, width, height)
    if T is not None and duration_us is None:
        _check_positive("T", T)
        index = _by_count(t.size, T) if by == "count" else _by_time(t, T)
    elif duration_us is not None and T is None:
        _check_positive("duration_us", duration_us)
        span = int(t[-1] - t[0]) if t.size else 0
        T = max(-(-span // duration_us), min(t.size, 1))
        index = _by_width(t, duration_us, T)
    else:
        raise ValueError(
            "frames needs either T (a number of frames) or duration_us (microseconds per frame), "
            f"got T={T} and duration_us={duration_us}"
        )
    shape = (T, _POLARITIES, height, width)
    counts = np.bincount(
        index * (_POLARITIES * height * width) + pixel, minlength=int(np.prod(shape))
    )
    return counts.reshape(shape).astype(np.float32)


def _by_count(count: int, T: int) -> NDArray[np.int64]:
    share = count // T
    if not share:
        return np.full(count, T - 1, np.int64)
    return np.minimum(np.arange(count, dtype=np.int64) // share, T - 1)


def _by_time(t: NDArray[np.int64], T: int) -> NDArray[np.int64]:
    return _by_width(t, int(t[-1] - t[0]) // T if t.size else 0, T)


def _by_width(t: NDArray[np.int64], width_us: int, T: int) -> NDArray[np.int64]:
    if not width_us:
        return np.full(t.size, T - 1, np.int64)
    return np.minimum((t - t[:1]) // width_us, T - 1)


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"frames: {name} must be at least 1, got {value}")


def _checked(
    events: NDArray[Any], width: int, height: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Times, and flat positions (p, y, x) within a frame."""
    missing = [name for name in "txyp" if name not in (events.dtype.names or ())]
    if missing:
        raise FormatError(
            f"events need the fields t, x, y, p; {', '.join(missing)} missing in {events.dtype}"
        )
    if not np.issubdtype(events["t"].dtype, np.integer):
        raise FormatError(
            f"events have times of type {events['t'].dtype}; frames needs integer microseconds"
        )
    t, x, y, p = (events[name].astype(np.int64) for name in "txyp")
    falls = np.flatnonzero(t[1:] < t[:-1])
    if falls.size:
        i = int(falls[0])
        raise FormatError(
            f"times descend from {t[i]} us to {t[i + 1]} us at event {i + 1}; sort the events "
            "first: events[np.argsort(events['t'], kind='stable')]"
        )
    off = np.flatnonzero(
        (x < 0) | (x >= width) | (y < 0) | (y >= height) | (p < 0) | (p >= _POLARITIES)
    )
    if off.size:
        i = int(off[0])
        raise FormatError(
            f"event {i} has x={x[i]}, y={y[i]}, p={p[i]}, which is off a sensor of {width} x "
            f"{height} pixels with {_POLARITIES} polarities ({off.size} such events); check size"
        )
    return t, (p * height + y) * width + x
