"""Sets of augmentations that papers apply together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from snn_datasets.augment.augmentation import Augmentation
from snn_datasets.augment.drop import Cutout, DropArea, DropEvents, DropTime
from snn_datasets.augment.flip import Flip
from snn_datasets.augment.rotation import Rotate, Shear
from snn_datasets.augment.translation import Roll
from snn_datasets.sensor import Size

Magnitude: TypeAlias = Literal[1, 2, 3]

_SIDE = 48
_ROLL = {1: 3, 2: 5, 3: 7}
_CUTOUT = {1: 8, 2: 16, 3: 24}
_DEGREES = {1: 15, 2: 30, 3: 45}


@dataclass(frozen=True)
class EventDrop(Augmentation):
    """Leaves out events in one of four ways, each as likely.

    - nothing is dropped;
    - :class:`DropTime` of 0.1 to 0.9 of the time;
    - :class:`DropArea` of 0.05 to 0.3 of width and height;
    - :class:`DropEvents` of 0.1 to 0.9 of the events.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=range(10), x=[0] * 10, y=[0] * 10, p=[0] * 10)
        >>> len(EventDrop()(events, np.random.default_rng(1), (34, 34))) <= 10
        True

    Source: F. Gu et al., EventDrop: Data Augmentation for Event-based Learning, IJCAI 2021.
    """

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        ways = (DropTime((0.1, 0.9)), DropArea((0.05, 0.3)), DropEvents((0.1, 0.9)))
        way = int(rng.integers(len(ways) + 1))
        return events.copy() if way == len(ways) else ways[way].apply(events, rng, size)


@dataclass(frozen=True)
class NDA(Augmentation):
    """Neuromorphic data augmentation: a flip by chance, then N of four geometric changes.

    The N are different ones, each choice as likely. Their magnitudes, for 48 x 48 pixels:

    ======================  =====  =====  =====
    M                       1      2      3
    ======================  =====  =====  =====
    :class:`Roll`, pixels   3      5      7
    :class:`Rotate`, deg.   15     30     45
    :class:`Cutout`, pixels 8      16     24
    :class:`Shear`, deg.    15     30     45
    ======================  =====  =====  =====

    Pixels are scaled to the shorter side of the sensor. The paper also mixes recordings (CutMix),
    for which :class:`EventMix` is there, and flips no digits or gestures: ``flip=False``.

    Args:
        magnitude: M.
        number: N, from 0 to 4.
        flip: mirror every second recording, left to right.

    Raises: ValueError for another M or N.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[9], x=[17], y=[17], p=[1])
        >>> NDA(2, 1)(events, np.random.default_rng(0), (34, 34))["t"].tolist()
        [9]

    Source: Y. Li et al., Neuromorphic Data Augmentation for Training Spiking Neural Networks,
    ECCV 2022.
    """

    magnitude: Magnitude = 1
    number: int = 1
    flip: bool = True

    def __post_init__(self) -> None:
        if self.magnitude not in get_args(Magnitude):
            raise ValueError(f"magnitude must be 1, 2 or 3, got {self.magnitude!r}")
        if self.number not in range(5):
            raise ValueError(f"number must be 0 to 4 of the four changes, got {self.number!r}")

    def changes(self, size: Size) -> tuple[Augmentation, ...]:
        """The four changes on a sensor of this size."""
        scale, degrees = min(size) / _SIDE, _DEGREES[self.magnitude]
        return (
            Roll(round(_ROLL[self.magnitude] * scale)),
            Rotate(degrees),
            Cutout(round(_CUTOUT[self.magnitude] * scale)),
            Shear(degrees),
        )

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        changed = Flip(probability=0.5 if self.flip else 0).apply(events, rng, size)
        changes = self.changes(size)
        for i in rng.choice(len(changes), self.number, replace=False).tolist():
            changed = changes[i].apply(changed, rng, size)
        return changed
