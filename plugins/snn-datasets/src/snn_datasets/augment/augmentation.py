"""What an augmentation is: a callable on a recording, its generator and its sensor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.fields import fields
from snn_datasets.sensor import Size


class Augmentation(ABC):
    """A change of a whole recording: ``(events, rng, size) -> events``.

    The events given ascend in time and lie on the sensor; so do those returned, which are a new
    array of the same dtype. What is random comes from ``rng`` alone, so that a dataset that gives
    ``self.generator(index)`` has items that depend on (seed, epoch, index). A subclass defines
    :meth:`apply`, and :meth:`output_size` if it changes the size of the sensor.

    Source: interface of this package; any callable of this signature is an augmentation too.
    """

    def __call__(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        """The changed recording; ``events`` stay as they are.

        Args:
            events: structured array with fields t (microseconds), x, y, p.
            rng: of all that is random.
            size: (width, height) of the sensor in pixels.

        Raises: FormatError for times that descend, or events off the sensor.
        """
        check_recording(events, size, name=type(self).__name__)
        return self.apply(events, rng, size)

    @abstractmethod
    def apply(self, events: NDArray[Any], rng: np.random.Generator, size: Size) -> NDArray[Any]:
        """As calling it, for events that are known to ascend and to lie on the sensor."""

    def output_size(self, size: Size) -> Size:
        """(width, height) of the sensor that the returned events lie on."""
        return size


def check_recording(events: NDArray[Any], size: Size, *, name: str) -> None:
    """Compares events with what every augmentation is given.

    Raises: FormatError that names the first event that descends in time or is off the sensor.
    """
    t, x, y, p = fields(events)
    if not t.size:
        return
    falls = np.flatnonzero(t[1:] < t[:-1])
    if falls.size:
        i = int(falls[0])
        raise FormatError(
            f"{name}: times descend from {t[i]} us to {t[i + 1]} us at event {i + 1}; sort the "
            "events first: events[np.argsort(events['t'], kind='stable')]"
        )
    for field, column, limit in (("x", x, size[0]), ("y", y, size[1]), ("p", p, 2)):
        if column.min() < 0 or column.max() >= limit:
            off = np.flatnonzero((column < 0) | (column >= limit))
            raise FormatError(
                f"{name}: event {off[0]} has {field} = {column[off[0]]}, expected is 0 to "
                f"{limit - 1} on a sensor of {size[0]} x {size[1]} pixels ({off.size} such events)"
            )


def moved(events: NDArray[Any], x: NDArray[Any], y: NDArray[Any], size: Size) -> NDArray[Any]:
    """The events at other pixels, without those that leave the sensor.

    Args:
        x, y: whole numbers, of any type and any size.
    """
    on = (x >= 0) & (x < size[0]) & (y >= 0) & (y < size[1])
    kept = events[on]
    kept["x"], kept["y"] = x[on], y[on]
    return kept


def retimed(events: NDArray[Any], t: NDArray[np.int64]) -> NDArray[Any]:
    """The events at other times, sorted again; events of one time keep their order."""
    changed = events.copy()
    changed["t"] = t
    if (t[1:] < t[:-1]).any():
        changed = changed[np.argsort(t, kind="stable")]
    return changed
