"""Parts of the sensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from snn_datasets.augment.augmentation import Augmentation, moved
from snn_datasets.sensor import Size

Where = Literal["random", "centre"]


@dataclass(frozen=True)
class Crop(Augmentation):
    """Keeps what lies in a rectangle, which becomes the sensor.

    x' = x - x_0, y' = y - y_0 for x_0 <= x < x_0 + w, y_0 <= y < y_0 + h

    Args:
        size: (w, h) of the rectangle in pixels.
        where: "random", each place as likely, or "centre"; then x_0 = floor((W - w) / 2).

    Raises: ValueError for a rectangle that is empty or larger than the sensor.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[5, 9], x=[0, 17], y=[2, 17], p=[1, 0])
        >>> crop = Crop((4, 6), where="centre")
        >>> crop(events, np.random.default_rng(0), (34, 34)).tolist(), crop.output_size((34, 34))
        ([(9, 2, 3, 0)], (4, 6))

    Source: as for images; M. Planamente et al., DA4Event, IEEE Robotics and Automation Letters 6,
    2021, on events.
    """

    size: Size
    where: Where = "random"

    def __post_init__(self) -> None:
        if min(self.size) < 1:
            raise ValueError(f"the size of a crop must be at least 1 x 1, got {self.size}")
        if self.where not in get_args(Where):
            raise ValueError(f"where must be 'random' or 'centre', got {self.where!r}")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        width, height = self.output_size(size)
        free = size[0] - width, size[1] - height
        x0, y0 = free[0] // 2, free[1] // 2
        if self.where == "random":
            x0, y0 = rng.integers(0, free, endpoint=True).tolist()
        x, y = (events[field].astype(np.int64) for field in "xy")
        return moved(events, x - x0, y - y0, (width, height))

    def output_size(self, size: Size) -> Size:
        if self.size[0] > size[0] or self.size[1] > size[1]:
            raise ValueError(
                f"a crop of {self.size[0]} x {self.size[1]} pixels is larger than the sensor of "
                f"{size[0]} x {size[1]}"
            )
        return self.size
