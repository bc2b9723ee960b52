"""Recordings moved over the sensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_datasets.augment.augmentation import Augmentation, moved
from snn_datasets.augment.choice import whole_around_zero
from snn_datasets.sensor import Size


@dataclass(frozen=True)
class Shift(Augmentation):
    """Moves the recording by a random whole number of pixels; what leaves the sensor is dropped.

    x' = x + a, y' = y + b, a and b uniform in {-m .. m}

    Args:
        most: m, one number or one each for x and y.

    Raises: ValueError for a negative number or fractions of a pixel.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[5, 9], x=[0, 17], y=[2, 17], p=[1, 0])
        >>> Shift((3, 0))(events, np.random.default_rng(0), (34, 34))["y"].tolist()
        [2, 17]

    Source: as for images; used on N-MNIST and CIFAR10-DVS since Y. Wu et al., Direct Training for
    Spiking Neural Networks, AAAI 2019.
    """

    most: int | tuple[int, int]

    def __post_init__(self) -> None:
        whole_around_zero(self.most, name="most")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        x, y = _translated(events, rng, self.most)
        return moved(events, x, y, size)


@dataclass(frozen=True)
class Roll(Augmentation):
    """Moves the recording as :class:`Shift`; what leaves the sensor enters on the other side.

    x' = (x + a) mod W, y' = (y + b) mod H, a and b uniform in {-m .. m}

    Args:
        most: m, one number or one each for x and y.

    Raises: ValueError for a negative number or fractions of a pixel.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[5, 9], x=[0, 17], y=[2, 17], p=[1, 0])
        >>> len(Roll(30)(events, np.random.default_rng(0), (34, 34)))
        2

    Source: "rolling" of Y. Li et al., Neuromorphic Data Augmentation for Training Spiking Neural
    Networks, ECCV 2022.
    """

    most: int | tuple[int, int]

    def __post_init__(self) -> None:
        whole_around_zero(self.most, name="most")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        x, y = _translated(events, rng, self.most)
        return moved(events, x % size[0], y % size[1], size)


def _translated(
    events: NDArray[Any], rng: np.random.Generator, most: int | tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    in_x, in_y = whole_around_zero(most, name="most")
    by_x, by_y = (int(rng.integers(*ends, endpoint=True)) for ends in (in_x, in_y))
    return events["x"].astype(np.int64) + by_x, events["y"].astype(np.int64) + by_y
