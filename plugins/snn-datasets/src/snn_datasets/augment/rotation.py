"""Rotated and sheared recordings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from snn_datasets.augment.augmentation import Augmentation, moved
from snn_datasets.augment.choice import Range, around_zero, drawn
from snn_datasets.sensor import Size

Along = Literal["x", "y"]


@dataclass(frozen=True)
class Rotate(Augmentation):
    """Turns the recording about the centre of the sensor, each event to the nearest pixel.

    ::

        x' = round(c_x + cos(a) (x - c_x) + sin(a) (y - c_y)),   c_x = (W - 1) / 2
        y' = round(c_y - sin(a) (x - c_x) + cos(a) (y - c_y)),   c_y = (H - 1) / 2

    What leaves the sensor is dropped. A positive angle turns counter-clockwise, as y counts from
    above. Events of several pixels may meet in one, and pixels between may get none.

    Args:
        degrees: greatest angle, of both signs, or a pair (least, greatest).

    Raises: ValueError for a negative number or a pair that descends.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[5], x=[33], y=[0], p=[1])
        >>> turned = Rotate((90, 90))(events, np.random.default_rng(0), (34, 34))
        >>> turned["x"].tolist(), turned["y"].tolist()
        ([0], [0])

    Source: "rotation" of Y. Li et al., Neuromorphic Data Augmentation for Training Spiking Neural
    Networks, ECCV 2022.
    """

    degrees: Range

    def __post_init__(self) -> None:
        around_zero(self.degrees, name="degrees")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        angle = math.radians(drawn(rng, around_zero(self.degrees, name="degrees")))
        cos, sin = math.cos(angle), math.sin(angle)
        cx, cy = (size[0] - 1) / 2, (size[1] - 1) / 2
        x, y = events["x"] - cx, events["y"] - cy
        return moved(events, np.rint(cx + cos * x + sin * y), np.rint(cy - sin * x + cos * y), size)


@dataclass(frozen=True)
class Shear(Augmentation):
    """Moves each row along x (or column along y) in proportion to its distance from the middle.

    x' = round(x + tan(a) (y - (H - 1) / 2)), or y' = round(y + tan(a) (x - (W - 1) / 2))

    What leaves the sensor is dropped.

    Args:
        degrees: greatest angle a, of both signs, or a pair (least, greatest).
        along: "x" or "y".

    Raises: ValueError for a negative number, an angle of 90 degrees and more, or another axis.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[5, 9], x=[2, 2], y=[0, 4], p=[1, 0])
        >>> Shear((45, 45))(events, np.random.default_rng(0), (5, 5))["x"].tolist()
        [0, 4]

    Source: "ShearX" of Y. Li et al., Neuromorphic Data Augmentation for Training Spiking Neural
    Networks, ECCV 2022; there, too, given as an angle.
    """

    degrees: Range
    along: Along = "x"

    def __post_init__(self) -> None:
        ends = around_zero(self.degrees, name="degrees")
        if max(map(abs, ends)) >= 90:
            raise ValueError(f"degrees of a shear must be below 90, got {self.degrees!r}")
        if self.along not in get_args(Along):
            raise ValueError(f"along must be 'x' or 'y', got {self.along!r}")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        slope = math.tan(math.radians(drawn(rng, around_zero(self.degrees, name="degrees"))))
        x, y = events["x"].astype(np.int64), events["y"].astype(np.int64)
        if self.along == "x":
            return moved(events, np.rint(x + slope * (y - (size[1] - 1) / 2)), y, size)
        return moved(events, x, np.rint(y + slope * (x - (size[0] - 1) / 2)), size)
