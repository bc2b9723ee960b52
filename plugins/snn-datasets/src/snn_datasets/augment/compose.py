"""Several augmentations: one after the other, one of them, or one by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snn_datasets.augment.augmentation import Augmentation
from snn_datasets.augment.choice import check_probability, happens
from snn_datasets.sensor import Size

Step: TypeAlias = Callable[[NDArray[Any], np.random.Generator, Size], NDArray[Any]]
"""An :class:`Augmentation`, or any function that keeps the size of the sensor."""


@dataclass(frozen=True)
class Compose(Augmentation):
    """Applies augmentations one after the other; each sees the sensor that the last one left.

    Args:
        steps: what to apply, in this order.

    Raises: TypeError for a step that cannot be called.

    Example:
        >>> from snn_datasets import make_events
        >>> from snn_datasets.augment import Crop, Flip
        >>> both = Compose((Crop((4, 6), where="centre"), Flip(probability=1)))
        >>> events = make_events(t=[9], x=[17], y=[17], p=[1])
        >>> both(events, np.random.default_rng(0), (34, 34))["x"].tolist()
        [1]

    Source: as for images.
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", _checked(self.steps))

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        changed = events.copy()
        for step in self.steps:
            changed = _applied(step, changed, rng, size)
            size = output_size(step, size)
        return changed

    def output_size(self, size: Size) -> Size:
        for step in self.steps:
            size = output_size(step, size)
        return size


@dataclass(frozen=True)
class OneOf(Augmentation):
    """Applies one of several augmentations, each as likely.

    Args:
        steps: what to choose from; all leave the same size of the sensor.

    Raises: TypeError for a step that cannot be called, ValueError for no steps, or sizes that
        differ.

    Example:
        >>> from snn_datasets import make_events
        >>> from snn_datasets.augment import Flip, PolarityFlip
        >>> events = make_events(t=[9], x=[0], y=[0], p=[1])
        >>> one = OneOf((Flip("horizontal", 1), PolarityFlip(1)))
        >>> one(events, np.random.default_rng(3), (34, 34)).tolist()
        [(9, 0, 0, 0)]

    Source: as for images.
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", _checked(self.steps))
        if not self.steps:
            raise ValueError("OneOf needs at least one augmentation to choose from")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        self.output_size(size)
        return _applied(self.steps[int(rng.integers(len(self.steps)))], events, rng, size)

    def output_size(self, size: Size) -> Size:
        sizes = {output_size(step, size) for step in self.steps}
        if len(sizes) > 1:
            raise ValueError(
                f"the augmentations of OneOf make {' and '.join(map(str, sorted(sizes)))} of a "
                f"sensor of {size}; all must leave one size"
            )
        return sizes.pop()


@dataclass(frozen=True)
class RandomApply(Augmentation):
    """Applies an augmentation with some probability.

    Args:
        step: what to apply; it keeps the size of the sensor.
        probability: of applying it.

    Raises: TypeError for a step that cannot be called, ValueError for a probability outside 0 to
        1, or a step that changes the size of the sensor.

    Example:
        >>> from snn_datasets import make_events
        >>> from snn_datasets.augment import DropEvents
        >>> events = make_events(t=[9], x=[0], y=[0], p=[1])
        >>> len(RandomApply(DropEvents(1.0), 0)(events, np.random.default_rng(0), (34, 34)))
        1

    Source: as for images.
    """

    step: Step
    probability: float = 0.5

    def __post_init__(self) -> None:
        _checked((self.step,))
        check_probability(self.probability)

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        self.output_size(size)
        if happens(rng, self.probability):
            return _applied(self.step, events, rng, size)
        return events.copy()

    def output_size(self, size: Size) -> Size:
        changed = output_size(self.step, size)
        if changed != size:
            raise ValueError(
                f"RandomApply: {self.step} makes {changed} of a sensor of {size}, so that items "
                "would differ in size; apply it always"
            )
        return size


def output_size(step: Step, size: Size) -> Size:
    """(width, height) of the sensor after a step; functions of users keep it."""
    return step.output_size(size) if isinstance(step, Augmentation) else size


def _applied(
    step: Step, events: NDArray[Any], rng: np.random.Generator, size: Size
) -> NDArray[Any]:
    # What our own steps return needs no second look at every event.
    apply = step.apply if isinstance(step, Augmentation) else step
    return apply(events, rng, size)


def _checked(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    steps = tuple(steps)
    for step in steps:
        if not callable(step):
            raise TypeError(
                f"an augmentation is called with (events, rng, size), got {step!r}, which cannot "
                "be called"
            )
    return steps
