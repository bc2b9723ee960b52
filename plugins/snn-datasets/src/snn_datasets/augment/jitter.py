"""Events moved each by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_datasets.augment.augmentation import Augmentation, moved, retimed
from snn_datasets.sensor import Size


@dataclass(frozen=True)
class SpatialJitter(Augmentation):
    """Moves each event by its own normal random numbers, to the nearest pixel.

    x' = x + round(e_x), y' = y + round(e_y), e ~ N(0, std^2), each drawn by itself

    What leaves the sensor is dropped.

    Args:
        std: standard deviation in pixels, one number or one each for x and y.

    Raises: ValueError for a negative number.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[5, 9], x=[0, 17], y=[2, 17], p=[1, 0])
        >>> SpatialJitter(0)(events, np.random.default_rng(0), (34, 34)).tolist() == events.tolist()
        True

    Source: Tonic (G. Lenz et al., 2021), whose coordinates are cut off and not rounded.
    """

    std: float | tuple[float, float] = 1.0

    def __post_init__(self) -> None:
        if not min(self._each()) >= 0:
            raise ValueError(f"std must be a number of pixels >= 0, or two, got {self.std!r}")

    def _each(self) -> tuple[float, float]:
        return self.std if isinstance(self.std, tuple) else (self.std, self.std)

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        by = np.rint(rng.normal(0, self._each(), (len(events), 2))).astype(np.int64)
        return moved(events, events["x"] + by[:, 0], events["y"] + by[:, 1], size)


@dataclass(frozen=True)
class TimeJitter(Augmentation):
    """Moves each event in time by its own normal random number, and sorts again.

    t' = max(t + round(e), t_0), e ~ N(0, std^2)

    No event comes before the first event of the recording, t_0, so that a recording that begins at
    0 or later has no negative times. Events that meet in one time keep their order.

    Args:
        std_us: standard deviation in microseconds.

    Raises: ValueError for a negative number.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[5, 9], x=[0, 17], y=[2, 17], p=[1, 0])
        >>> bool((TimeJitter(1000)(events, np.random.default_rng(0), (34, 34))["t"] >= 5).all())
        True

    Source: Tonic (G. Lenz et al., 2021), which sorts and limits only if asked to.
    """

    std_us: float

    def __post_init__(self) -> None:
        if not 0 <= self.std_us < 1 << 53:
            raise ValueError(f"std_us must be a number of microseconds >= 0, got {self.std_us!r}")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        by = np.rint(rng.normal(0, self.std_us, len(events))).astype(np.int64)
        t = events["t"].astype(np.int64)
        return retimed(events, np.maximum(t + by, t[:1]))
