"""Recordings played faster, slower, or backwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_datasets.augment.augmentation import Augmentation, retimed
from snn_datasets.augment.choice import Range, check_probability, drawn, happens, within
from snn_datasets.sensor import Size


@dataclass(frozen=True)
class TimeScale(Augmentation):
    """Stretches the recording in time, from its first event on.

    t' = t_0 + round(f (t - t_0)), f uniform; exact for recordings below 2^53 us

    Args:
        factor: f, or a pair (least, greatest); 2 plays at half the speed.

    Raises: ValueError for a factor outside 0.001 to 1000.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[100, 109], x=[0, 17], y=[2, 17], p=[1, 0])
        >>> TimeScale(2)(events, np.random.default_rng(0), (34, 34))["t"].tolist()
        [100, 118]

    Source: "time skew" of Tonic (G. Lenz et al., 2021), there about the time 0.
    """

    factor: Range = (0.8, 1.25)

    def __post_init__(self) -> None:
        within(self.factor, 0.001, 1000, name="factor")

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        factor = drawn(rng, within(self.factor, 0.001, 1000, name="factor"))
        t = events["t"].astype(np.int64)
        return retimed(events, t[:1] + np.rint(factor * (t - t[:1])).astype(np.int64))


@dataclass(frozen=True)
class TimeReversal(Augmentation):
    """Plays the recording backwards, with some probability: what got brighter gets darker.

    t' = t_0 + t_N-1 - t, p' = 1 - p, the events in the opposite order

    Args:
        probability: of a reversal.

    Raises: ValueError for a probability outside 0 to 1.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[1, 4], x=[0, 17], y=[2, 17], p=[1, 1])
        >>> TimeReversal(1)(events, np.random.default_rng(0), (34, 34)).tolist()
        [(1, 17, 17, 0), (4, 0, 2, 0)]

    Source: Tonic (G. Lenz et al., 2021), "random time reversal".
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        check_probability(self.probability)

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        if not happens(rng, self.probability):
            return events.copy()
        backwards = events[::-1].copy()
        t = events["t"].astype(np.int64)
        backwards["t"] = (t[:1] + t[-1:] - t)[::-1]
        backwards["p"] = backwards["p"] == 0
        return backwards


@dataclass(frozen=True)
class PolarityFlip(Augmentation):
    """Exchanges brighter and darker in the whole recording, with some probability.

    p' = 1 - p

    Args:
        probability: of a flip.

    Raises: ValueError for a probability outside 0 to 1.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[1, 4], x=[0, 17], y=[2, 17], p=[1, 0])
        >>> PolarityFlip(1)(events, np.random.default_rng(0), (34, 34))["p"].tolist()
        [0, 1]

    Source: Tonic (G. Lenz et al., 2021), "random polarity flip".
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        check_probability(self.probability)

    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        flipped = events.copy()
        if happens(rng, self.probability):
            flipped["p"] = events["p"] == 0
        return flipped
