"""Mirrored recordings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from snn_datasets.augment.augmentation import Augmentation
from snn_datasets.augment.choice import check_probability, happens
from snn_datasets.sensor import Size

Axis = Literal["horizontal", "vertical"]


@dataclass(frozen=True)
class Flip(Augmentation):
    """Mirrors the recording, with some probability.

    x' = W - 1 - x (horizontal) or y' = H - 1 - y (vertical)

    Args:
        axis: "horizontal" swaps left and right, "vertical" top and bottom.
        probability: of a flip.

    Raises: ValueError for another axis or a probability outside 0 to 1.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[5], x=[0], y=[2], p=[1])
        >>> Flip(probability=1)(events, np.random.default_rng(0), (34, 34))["x"].tolist()
        [33]

    Source: Y. Li et al., Neuromorphic Data Augmentation for Training Spiking Neural Networks,
    ECCV 2022.
    """

    axis: Axis = "horizontal"
    probability: float = 0.5

    def __post_init__(self) -> None:
        check_probability(self.probability)
        if self.axis not in get_args(Axis):
            raise ValueError(f"axis must be 'horizontal' or 'vertical', got {self.axis!r}")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        flipped = events.copy()
        if happens(rng, self.probability):
            field, extent = ("x", size[0]) if self.axis == "horizontal" else ("y", size[1])
            # extent - 1 may not fit in the type of the field before it is subtracted from
            flipped[field] = extent - 1 - events[field].astype(np.int64)
        return flipped
