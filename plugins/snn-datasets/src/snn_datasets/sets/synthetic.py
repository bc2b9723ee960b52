"""Recordings that are drawn, not recorded: bars, gestures and Poisson patterns."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from snn_datasets.dataset import Root, Seed, Transform
from snn_datasets.event_dataset import Augment, EventDataset, Integrate
from snn_datasets.integration.slices import By
from snn_datasets.manifest import Info
from snn_datasets.recordings import Recordings
from snn_datasets.sets.motion import circle, in_time, moving_bar, moving_disk, poisson, straight

_SIDE = 32
_DURATION_US = 100_000
_DIRECTIONS = 8
_PATTERNS = 10
_PARTS, _BLOCK = 4, 4
_GESTURES = ("left", "right", "up", "down", "clockwise", "counter_clockwise")

Pattern: TypeAlias = Literal["bars", "gestures", "poisson"]


class Synthetic(EventDataset):
    """Drawn recordings of 0.1 s on a sensor of 32x32 pixels: no files, no download, any number.

    Patterns and their classes:
        - ``bars``: a bar crosses the sensor; 8 directions, ``0`` to ``315`` degrees, counter-
          clockwise from "to the right". Width (2 to 6 pixels) and duration (50 to 100 %) vary.
        - ``gestures``: a disk moves ``left``, ``right``, ``up``, ``down``, or on a circle,
          ``clockwise`` or ``counter_clockwise``. Place, radius, extent and start vary.
        - ``poisson``: pixels fire at random at rates that are constant in blocks of 4x4 pixels and
          25 ms; the rates of each of 10 classes are fixed, of the events only the rates are known.

    In bars and gestures each event is lost with a probability of 0.1 and moved in time by a normal
    random number of 0.5 ms; noise of ``noise_hz`` events per pixel and second is added.

    Item i is of class i mod C. Its recording depends on (pattern, noise_hz, seed, split, i) alone;
    the train and the test split never share random numbers.

    Args:
        root, download: without effect, there are no files.
        split: "train" or "test".
        protocol: "official".
        transform, target_transform: applied to x and y.
        seed: of the recordings, and of ``augment``.
        T, by, duration_us, integrate, augment: as :class:`snn_datasets.EventDataset`.
        pattern: see above.
        count: number of items; 1,000 to train and 200 to test if not given.
        noise_hz: rate of the noise of each pixel; not of Poisson patterns.

    Shape: x ``[T, 2, 32, 32]``, float32 event counts.

    Raises: ConfigError for a parameter of wrong type, choice or range.

    Example:
        >>> dataset = Synthetic(pattern="gestures", T=5)
        >>> dataset.classes[dataset[1][1]], tuple(dataset[1][0].shape)
        ('right', (5, 2, 32, 32))

    Source: this package; the gestures are after those of A. Amir et al., A Low Power, Fully
    Event-Based Gesture Recognition System, CVPR 2017.
    """

    info: ClassVar[Info] = Info.load("synthetic")
    sensor: ClassVar[tuple[int, int]] = (_SIDE, _SIDE)

    def __init__(
        self,
        root: Root = None,
        *,
        split: str = "train",
        protocol: str | None = None,
        transform: Transform = None,
        target_transform: Transform = None,
        download: bool = False,
        seed: Seed = 0,
        T: Annotated[int, Gt(0)] | None = None,
        by: By = "time",
        duration_us: Annotated[int, Gt(0)] | None = None,
        integrate: Integrate = None,
        augment: Augment = None,
        pattern: Pattern = "bars",
        count: Annotated[int, Gt(0)] | None = None,
        noise_hz: Annotated[float, Ge(0)] = 1.0,
    ) -> None:
        self.pattern: Pattern = pattern
        self.count = count
        self.noise_hz = noise_hz
        super().__init__(
            root,
            split=split,
            protocol=protocol,
            transform=transform,
            target_transform=target_transform,
            download=download,
            seed=seed,
            T=T,
            by=by,
            duration_us=duration_us,
            integrate=integrate,
            augment=augment,
        )

    def find(self) -> Recordings:
        self.classes = {
            "bars": tuple(str(360 // _DIRECTIONS * i) for i in range(_DIRECTIONS)),
            "gestures": _GESTURES,
            "poisson": tuple(str(i) for i in range(_PATTERNS)),
        }[self.pattern]
        number = np.arange(self.info.samples[self.split] if self.count is None else self.count)
        return Recordings((), np.zeros_like(number), number, number % len(self.classes))

    def decode(self, index: int) -> NDArray[Any]:
        label = int(self.targets[index])
        rng = np.random.default_rng([self.seed, self.splits.index(self.split), index, 0x5E7])
        if self.pattern == "poisson":
            return poisson(rng, poisson_rates(label), duration_us=_DURATION_US)
        duration = int(rng.integers(_DURATION_US // 2, _DURATION_US, endpoint=True))
        if self.pattern == "bars":
            events = moving_bar(
                rng,
                self.sensor,
                degrees=360 / _DIRECTIONS * label,
                width=float(rng.uniform(2, 6)),
                duration_us=duration,
            )
        else:
            radius = float(rng.uniform(2, 5))
            path = _path(rng, _GESTURES[label])
            events = moving_disk(rng, self.sensor, path, radius=radius, duration_us=duration)
        return self._as_recorded(rng, events)

    def _as_recorded(self, rng: np.random.Generator, events: NDArray[Any]) -> NDArray[Any]:
        events = events[rng.random(events.size) >= 0.1]
        jittered = events["t"] + np.rint(rng.normal(0, 500, events.size)).astype(np.int64)
        events["t"] = np.clip(jittered, 0, _DURATION_US)
        rates = np.full((1, 2, _SIDE, _SIDE), self.noise_hz / 2)
        noise = poisson(rng, rates, duration_us=_DURATION_US)
        return in_time(np.concatenate([events, noise]))


def poisson_rates(label: int) -> NDArray[np.float64]:
    """``[4, 2, 32, 32]``: rates in Hz of a class of the pattern ``poisson``, the same for ever.

    Blocks of 4x4 pixels, each log-uniform from 1 to 100 Hz.

    Example:
        >>> poisson_rates(3).shape
        (4, 2, 32, 32)
    """
    # The legacy generator, whose stream NumPy never changes
    drawn = np.random.RandomState(label).uniform(
        0, 2, (_PARTS, 2, _SIDE // _BLOCK, _SIDE // _BLOCK)
    )
    return np.power(10.0, drawn).repeat(_BLOCK, axis=2).repeat(_BLOCK, axis=3)


def _path(rng: np.random.Generator, gesture: str) -> NDArray[np.float64]:
    if gesture in ("clockwise", "counter_clockwise"):
        turns = float(rng.uniform(0.75, 1.5))
        x, y = rng.uniform(_SIDE * 0.4, _SIDE * 0.6, 2).tolist()
        return circle(
            (x, y),
            float(rng.uniform(6, 10)),
            start=float(rng.uniform(0, 2 * np.pi)),
            turns=turns if gesture == "counter_clockwise" else -turns,
        )
    near, far = rng.uniform(0.1, 0.3), rng.uniform(0.7, 0.9)
    across, slant = rng.uniform(0.3, 0.7), rng.uniform(-0.1, 0.1)
    start, end = (near, across), (far, across + slant)
    if gesture in ("left", "up"):
        start, end = end, start
    if gesture in ("up", "down"):
        start, end = start[::-1], end[::-1]
    (x0, y0), (x1, y1) = start, end
    return straight((x0 * _SIDE, y0 * _SIDE), (x1 * _SIDE, y1 * _SIDE))
