"""What an ideal event camera sends of simple moving shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_datasets.events import make_events
from snn_datasets.sensor import Size

_STEPS = 128


def moving_bar(
    rng: np.random.Generator, size: Size, *, degrees: float, width: float, duration_us: int
) -> NDArray[Any]:
    """A bright bar, at right angles to its direction, crosses the sensor once at constant speed.

    Each pixel sends ON (p = 1) when the front edge passes and OFF when the back edge does. A pixel
    at the distance s along the direction sees the front at t = duration (s - s_min) / (L + width),
    L = s_max - s_min, and the back where s + width stands for s.

    Args:
        degrees: direction of motion; 0 is to the right, 90 upwards.
        width: of the bar, in pixels.

    Returns: events from 0 to ``duration_us``, sorted by time; at equal times in random order.
    """
    y, x = np.mgrid[: size[1], : size[0]].reshape(2, -1)
    angle = math.radians(degrees)
    along = math.cos(angle) * x - math.sin(angle) * y
    along -= along.min()
    edges = np.stack([along + width, along])
    t = np.floor(duration_us * (edges / (along.max() + width))).astype(np.int64)
    p = np.repeat([0, 1], x.size)
    events = make_events(t=t.ravel(), x=np.tile(x, 2), y=np.tile(y, 2), p=p)
    return in_time(rng.permutation(events))


def moving_disk(
    rng: np.random.Generator,
    size: Size,
    path: NDArray[np.float64],
    *,
    radius: float,
    duration_us: int,
) -> NDArray[Any]:
    """A bright disk follows a path of 129 points: pixels send ON when it comes, OFF when it goes.

    Between two points of the path the times of the events are drawn, each microsecond as likely.

    Args:
        path: ``[129, 2]``, x and y of the centre in pixels.

    Returns: events from 0 to ``duration_us``, sorted by time.
    """
    y, x = np.mgrid[: size[1], : size[0]]
    cx, cy = path.T[:, :, None, None]
    lit = (x - cx) ** 2 + (y - cy) ** 2 <= radius**2
    step, row, column = np.nonzero(lit[1:] != lit[:-1])
    wide = duration_us // _STEPS
    t = step * duration_us // _STEPS + rng.integers(0, max(wide, 1), step.size)
    return in_time(make_events(t=t, x=column, y=row, p=lit[1:][step, row, column]))


def straight(start: tuple[float, float], end: tuple[float, float]) -> NDArray[np.float64]:
    """A path along a line at constant speed."""
    return np.linspace(start, end, _STEPS + 1)


def circle(
    centre: tuple[float, float], radius: float, *, start: float, turns: float
) -> NDArray[np.float64]:
    """A path along a circle at constant speed.

    Args:
        start: angle in radians; 0 is to the right of the centre.
        turns: how many, > 0 counter-clockwise as y counts from above.
    """
    angle = start + 2 * math.pi * turns * np.linspace(0, 1, _STEPS + 1)
    return np.stack(
        [centre[0] + radius * np.cos(angle), centre[1] - radius * np.sin(angle)], axis=1
    )


def poisson(
    rng: np.random.Generator, rates_hz: NDArray[np.float64], *, duration_us: int
) -> NDArray[Any]:
    """Events of pixels that fire at random, at rates that differ by time, polarity and place.

    Args:
        rates_hz: ``[T, P, H, W]``, events per second in T equal parts of the duration.

    Returns: events from 0 to ``duration_us``, sorted by time.
    """
    part = duration_us / len(rates_hz)
    counts = rng.poisson(rates_hz * (part * 1e-6))
    step, p, y, x = np.repeat(np.argwhere(counts), counts[counts > 0], axis=0).T
    t = np.floor((step + rng.random(step.size)) * part).astype(np.int64)
    return in_time(make_events(t=np.minimum(t, duration_us), x=x, y=y, p=p))


def in_time(events: NDArray[Any]) -> NDArray[Any]:
    """The events sorted by time; those of one time keep their order."""
    return events[np.argsort(events["t"], kind="stable")]
