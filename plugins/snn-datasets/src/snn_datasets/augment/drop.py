"""Events left out: by chance, by place, by time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_datasets.augment.augmentation import Augmentation
from snn_datasets.augment.choice import Range, drawn, within
from snn_datasets.sensor import Size


@dataclass(frozen=True)
class DropEvents(Augmentation):
    """Leaves out a fraction of the events, each as likely.

    Of N events round(f N) are dropped, f uniform

    Args:
        fraction: f, or a pair (least, greatest).

    Raises: ValueError for a fraction outside 0 to 1.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=range(10), x=[0] * 10, y=[0] * 10, p=[0] * 10)
        >>> len(DropEvents(0.3)(events, np.random.default_rng(0), (34, 34)))
        7

    Source: "random drop" of F. Gu et al., EventDrop, IJCAI 2021.
    """

    fraction: Range

    def __post_init__(self) -> None:
        within(self.fraction, 0, 1, name="fraction")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        fraction = drawn(rng, within(self.fraction, 0, 1, name="fraction"))
        kept = np.ones(len(events), np.bool_)
        kept[rng.choice(len(events), round(fraction * len(events)), replace=False)] = False
        return events[kept]


@dataclass(frozen=True)
class DropArea(Augmentation):
    """Leaves out what lies in a random rectangle, which is wholly on the sensor.

    It has floor(f W) x floor(f H) pixels, f uniform; each place is as likely

    Args:
        fraction: f of the width and of the height, or a pair (least, greatest).

    Raises: ValueError for a fraction outside 0 to 1.

    Example:
        >>> from snn_datasets import make_events
        >>> x, y = np.divmod(np.arange(100), 10)
        >>> events = make_events(t=np.arange(100), x=x, y=y, p=np.zeros(100))
        >>> len(DropArea(0.3)(events, np.random.default_rng(0), (10, 10)))
        91

    Source: "drop by area" of F. Gu et al., EventDrop, IJCAI 2021.
    """

    fraction: Range

    def __post_init__(self) -> None:
        within(self.fraction, 0, 1, name="fraction")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        fraction = drawn(rng, within(self.fraction, 0, 1, name="fraction"))
        inside = np.ones(len(events), np.bool_)
        for field, extent in zip("xy", size, strict=True):
            length = int(fraction * extent)
            start = int(rng.integers(0, extent - length, endpoint=True))
            inside &= (events[field] >= start) & (events[field] < start + length)
        return events[~inside]


@dataclass(frozen=True)
class DropTime(Augmentation):
    """Leaves out what lies in a random interval of time, which is wholly within the recording.

    s <= t < s + floor(f (t_N-1 - t_0)), f uniform; each whole microsecond s is as likely

    Args:
        fraction: f of the length of the recording, or a pair (least, greatest).

    Raises: ValueError for a fraction outside 0 to 1.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=range(11), x=[0] * 11, y=[0] * 11, p=[0] * 11)
        >>> len(DropTime(0.5)(events, np.random.default_rng(0), (34, 34)))
        6

    Source: "drop by time" of F. Gu et al., EventDrop, IJCAI 2021.
    """

    fraction: Range

    def __post_init__(self) -> None:
        within(self.fraction, 0, 1, name="fraction")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        fraction = drawn(rng, within(self.fraction, 0, 1, name="fraction"))
        if not len(events):
            return events.copy()
        t = events["t"]
        first, last = int(t[0]), int(t[-1])
        length = int(fraction * (last - first))
        start = first + int(rng.integers(0, last - first - length, endpoint=True))
        return events[(t < start) | (t >= start + length)]


@dataclass(frozen=True)
class Cutout(Augmentation):
    """Leaves out what lies in a random square, which may reach over the edge of the sensor.

    |x - a| and |y - b| within half a side of a pixel (a, b) of the sensor, each as likely::

        a - floor(s / 2) <= x < a - floor(s / 2) + s,   the same for y

    Args:
        side: s in pixels.

    Raises: ValueError for a negative side.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[0], x=[0], y=[0], p=[0])
        >>> len(Cutout(3)(events, np.random.default_rng(0), (1, 1)))
        0

    Source: T. DeVries and G. Taylor, Improved Regularization of Convolutional Neural Networks with
    Cutout, arXiv:1708.04552, 2017.
    """

    side: int

    def __post_init__(self) -> None:
        if not isinstance(self.side, int) or self.side < 0:
            raise ValueError(f"side must be a whole number of pixels >= 0, got {self.side!r}")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        inside = np.ones(len(events), np.bool_)
        for field, extent in zip("xy", size, strict=True):
            start = int(rng.integers(extent)) - self.side // 2
            inside &= (events[field] >= start) & (events[field] < start + self.side)
        return events[~inside]
