"""Two recordings mixed into one, with the share of each in the label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from snn_datasets.augment.augmentation import check_recording
from snn_datasets.sensor import Size

Label: TypeAlias = Literal["events", "distance"]

_GRID = 16
_STEPS = 10
_NARROWEST = 0.1


@dataclass(frozen=True)
class EventMix:
    """Mixes two recordings by a random region of space and time, and says how to mix the labels.

    The density of a mixture of G normal distributions, G in {2, 3, 4}, with random weights, centres
    and widths over the box of W x H pixels and the length of the longer recording, is cut at the
    threshold that a share 1 - l of the box exceeds, l ~ Beta(alpha, alpha). Events of the second
    recording are taken from that region, those of the first from the rest. Both recordings begin
    at the time of the first.

    The label is w y_1 + (1 - w) y_2, where

    - "events": w = r_1 / (r_1 + r_2), r the share of the events of a recording that are kept;
    - "distance": w = d_2^2 / (d_1^2 + d_2^2), d the mean squared difference between a recording
      and the mixture, both counted into 10 frames and averaged over 3 x 3 pixels.

    With no events on either side, w = l.

    Args:
        alpha: of the Beta distribution; 1 makes all shares as likely.
        label: how w is found.

    Raises: ValueError for an alpha of 0 or below, or another label.

    Example:
        >>> from snn_datasets import make_events
        >>> first = make_events(t=[0, 5], x=[1, 2], y=[1, 2], p=[1, 1])
        >>> second = make_events(t=[7, 9], x=[9, 8], y=[7, 5], p=[0, 0])
        >>> events, weight = EventMix()(first, second, np.random.default_rng(1), (34, 34))
        >>> len(events) <= 4, 0 <= weight <= 1
        (True, True)

    Source: G. Shen et al., EventMix: An Efficient Augmentation Strategy for Event-Based Data,
    arXiv:2205.12054, 2022 (Information Sciences 644, 2023).
    """

    alpha: float = 1.0
    label: Label = "events"

    def __post_init__(self) -> None:
        if not self.alpha > 0:
            raise ValueError(f"alpha must be a number above 0, got {self.alpha!r}")
        if self.label not in get_args(Label):
            raise ValueError(f"label must be 'events' or 'distance', got {self.label!r}")

    def __call__(
        self,
        first: NDArray[Any],
        second: NDArray[Any],
        rng: np.random.Generator,
        size: Size,
    ) -> tuple[NDArray[Any], float]:
        """The mixture, and the weight w of the label of ``first``.

        Args:
            first, second: recordings whose times ascend, on sensors of one size.
            rng: of all that is random.
            size: (width, height) of the sensor in pixels.

        Raises: FormatError for times that descend, or events off the sensor.
        """
        for name, events in (("first", first), ("second", second)):
            check_recording(events, size, name=f"EventMix, {name} recording")
        share = float(rng.beta(self.alpha, self.alpha))
        mixture = _Mixture.draw(rng)
        threshold = mixture.threshold(1 - share)
        length = max(_span(first), _span(second))
        start = int(first["t"][0]) if len(first) else 0
        parts = list[NDArray[Any]]()
        for events, taken in ((first, False), (second, True)):
            kept = (mixture(*_coordinates(events, size, length)) > threshold) == taken
            part = events[kept].astype(first.dtype)
            if part.size:
                part["t"] = part["t"] - int(events["t"][0]) + start
            parts.append(part)
        whole = np.concatenate(parts)
        whole = whole[np.argsort(whole["t"], kind="stable")]
        if self.label == "distance":
            weight = _by_distance(first, second, whole, size, length)
        else:
            kept = [len(p) / max(len(e), 1) for p, e in zip(parts, (first, second), strict=True)]
            weight = kept[0] / sum(kept) if sum(kept) else None
        return whole, share if weight is None else weight


@dataclass(frozen=True)
class _Mixture:
    """A mixture of normal distributions over the unit cube, not normalised."""

    weight: NDArray[np.float64]
    centre: NDArray[np.float64]
    width: NDArray[np.float64]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> _Mixture:
        count = int(rng.integers(2, 4, endpoint=True))
        weight, centre = rng.random(count), rng.random((count, 3))
        return cls(weight, centre, np.maximum(rng.random((count, 3)), _NARROWEST) / 2)

    def __call__(self, *coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.zeros_like(coordinates[0])
        for weight, centre, width in zip(self.weight, self.centre, self.width, strict=True):
            far = [
                ((along - middle) / wide) ** 2
                for along, middle, wide in zip(coordinates, centre, width, strict=True)
            ]
            total += weight * np.exp(-sum(far, start=np.zeros_like(total)) / 2)
        return total

    def threshold(self, share: float) -> float:
        """What a share of the cube exceeds, found on a grid of 16^3 points."""
        axis = (np.arange(_GRID) + 0.5) / _GRID
        values = np.sort(self(*(a.ravel() for a in np.meshgrid(axis, axis, axis))))
        below = values.size - round(share * values.size)
        if below == values.size:
            return np.inf
        return float(values[below - 1]) if below else -1.0


def _span(events: NDArray[Any]) -> int:
    return int(events["t"][-1]) - int(events["t"][0]) if len(events) else 0


def _coordinates(
    events: NDArray[Any], size: Size, length: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    t = events["t"].astype(np.int64)
    return (
        (events["x"] + 0.5) / size[0],
        (events["y"] + 0.5) / size[1],
        (t - t[:1]) / max(length, 1),
    )


def _by_distance(
    first: NDArray[Any], second: NDArray[Any], whole: NDArray[Any], size: Size, length: int
) -> float | None:
    start = int(first["t"][0]) if len(first) else 0
    starts = (start, int(second["t"][0]) if len(second) else 0, start)
    one, two, both = (
        _averaged(events, size, since, length)
        for events, since in zip((first, second, whole), starts, strict=True)
    )
    near = [float(((both - frames) ** 2).mean()) ** 2 for frames in (one, two)]
    return near[1] / sum(near) if sum(near) else None


def _averaged(events: NDArray[Any], size: Size, start: int, length: int) -> NDArray[np.float64]:
    """``[T, P, H, W]``: counts, averaged over 3 x 3 pixels; beyond the edge there are none."""
    shape = (_STEPS, 2, size[1], size[0])
    step = (events["t"].astype(np.int64) - start) * _STEPS // (length + 1)
    x, y, p = (events[field].astype(np.int64) for field in "xyp")
    place = np.ravel_multi_index((step, p, y, x), shape)
    counts = np.bincount(place, minlength=int(np.prod(shape))).reshape(shape)
    framed = np.pad(counts, ((0, 0), (0, 0), (1, 1), (1, 1)))
    rows = framed[:, :, :-2] + framed[:, :, 1:-1] + framed[:, :, 2:]
    return (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) / 9
