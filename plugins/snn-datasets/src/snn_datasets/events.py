"""Event arrays, and what a format of event files is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snn_datasets.errors import FormatError

EVENT = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")])
"""One event: time in microseconds, column, row, polarity 0 or 1."""


class Format(Protocol):
    """A decoder of event files: what a component of kind ``format`` is.

    It is built without arguments or with the parameters that its constructor declares. A file
    belongs to the format that :class:`Recognising` says so of, or whose ``magic`` begins it, or,
    for formats with neither (``b""``), whose ``extensions`` hold its suffix (lower case, with the
    dot). What else a format can do it says by the further methods of :class:`Recognising`,
    :class:`Blocks`, :class:`Sized` and :class:`Writing`.

    Files are seekable; each method reads from the beginning.
    """

    @property
    def extensions(self) -> tuple[str, ...]: ...

    @property
    def magic(self) -> bytes: ...

    def read(self, file: BinaryIO, *, name: str) -> NDArray[Any]:
        """All events of an open file as an array of :data:`EVENT`, in file order.

        Args:
            name: what error texts call the file.

        Raises: FormatError naming the file, what was found and what was expected.
        """
        ...


def make_events(*, t: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike) -> NDArray[Any]:
    """Packs columns into an array of :data:`EVENT`.

    Args:
        t: times in microseconds.
        x, y: column and row.
        p: polarity, 0 or 1.

    Example:
        >>> make_events(t=[5, 9], x=[0, 1], y=[2, 2], p=[1, 0])["t"].tolist()
        [5, 9]
    """
    t = np.asarray(t)
    events = np.empty(t.shape, EVENT)
    events["t"], events["x"], events["y"], events["p"] = t, x, y, p
    return events


def join_events(parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """One array of all events.

    NumPy copies structured arrays field by field; here they are bytes, which is 20 times as fast.

    Args:
        parts: arrays of :data:`EVENT`.

    Example:
        >>> one = make_events(t=[5], x=[0], y=[2], p=[1])
        >>> join_events([one, one])["t"].tolist()
        [5, 5]
    """
    octets = [np.empty(0, np.uint8), *(np.ascontiguousarray(part).view(np.uint8) for part in parts)]
    return np.concatenate(octets).view(EVENT)


@runtime_checkable
class Recognising(Protocol):
    """A format that looks into a file to say whether it is its own."""

    def recognises(self, file: BinaryIO) -> bool:
        """Whether the file is of this format. Never raises for what a file holds."""
        ...


@runtime_checkable
class Blocks(Protocol):
    """A format that reads long recordings in bounded memory."""

    def blocks(self, file: BinaryIO, *, name: str) -> Iterator[NDArray[Any]]:
        """The events of :meth:`Format.read` in blocks of any length, in file order."""
        ...


@runtime_checkable
class Sized(Protocol):
    """A format that knows the size of the sensor."""

    def size(self, file: BinaryIO, *, name: str) -> tuple[int, int] | None:
        """(width, height) in pixels, or None where this file does not say it."""
        ...


@runtime_checkable
class Writing(Protocol):
    """A format that writes files too."""

    def write(self, file: BinaryIO, events: NDArray[Any], *, name: str) -> None:
        """Writes a whole file.

        Raises: FormatError for events that the format cannot hold; nothing is rounded or wrapped.
        """
        ...


class Streamed(ABC):
    """A format that reads a whole file by its blocks."""

    @abstractmethod
    def blocks(self, file: BinaryIO, *, name: str) -> Iterator[NDArray[Any]]:
        """The events in blocks of bounded size, in file order."""

    def read(self, file: BinaryIO, *, name: str) -> NDArray[Any]:
        """All events of ``file``. Raises: FormatError as :meth:`blocks`."""
        return join_events(self.blocks(file, name=name))


def check_writable(
    events: NDArray[Any],
    *,
    name: str,
    width: int,
    height: int,
    end: int,
    ascending: bool = False,
) -> None:
    """Compares events with what a format can hold.

    Args:
        width, height: one more than the greatest x and y.
        end: one more than the latest time, which is at least 0.
        ascending: times may not descend.

    Raises: FormatError that names the first event that does not fit.
    """
    columns = [("t", end, "us"), ("x", width, ""), ("y", height, ""), ("p", 2, "")]
    for field, limit, unit in columns:
        values = events[field]
        wrong = np.flatnonzero((values < 0) | (values >= limit))
        if wrong.size:
            i = int(wrong[0])
            raise FormatError(
                f"{name}: event {i} has {field} = {values[i]}{unit and ' '}{unit}; this format "
                f"holds {field} from 0 to {limit - 1} ({wrong.size} such events)"
            )
    falls = np.flatnonzero(np.diff(events["t"]) < 0) if ascending else np.empty(0)
    if falls.size:
        i = int(falls[0])
        raise FormatError(
            f"{name}: times descend from {events['t'][i]} us to {events['t'][i + 1]} us at event "
            f"{i + 1}; sort the events first: events[np.argsort(events['t'], kind='stable')]"
        )
