"""Events as integration reads them: columns, or packed words."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.fields import Columns, fields
from snn_datasets.packed import WORD, check_words, columns_of

Source: TypeAlias = Columns | NDArray[np.uint64]


def source_of(events: NDArray[Any]) -> Source:
    """What compiled loops read, without a copy of an array of the platform's dtype, or of words.

    Args:
        events: structured array, or words of :func:`snn_datasets.packed.pack`.

    Raises: FormatError if it is neither.
    """
    return check_words(events) if events.dtype == WORD else fields(events)


def length(source: Source) -> int:
    """How many events."""
    return len(source[0]) if isinstance(source, tuple) else len(source)


def check_offsets(offsets: NDArray[Any], events: int) -> NDArray[np.int64]:
    """Where the recordings of a batch begin and end.

    Raises: FormatError unless they ascend from 0 to the number of events.
    """
    places = np.asarray(offsets)
    if (
        places.ndim != 1
        or not places.size
        or places.dtype.kind not in "iu"
        or places[0] != 0
        or places[-1] != events
        or (places[1:] < places[:-1]).any()
    ):
        raise FormatError(
            f"offsets must be integers that ascend from 0 to the number of events, {events}, got "
            f"{places.tolist() if places.size < 9 else places}"
        )
    return places.astype(np.int64)


def part(source: Source, first: int, end: int) -> Source:
    """The events [first, end), not copied."""
    if isinstance(source, tuple):
        t, x, y, p = (column[first:end] for column in source)
        return t, x, y, p
    return source[first:end]


def times(source: Source, where: slice) -> NDArray[np.int64]:
    """Times of some events, for packed ones since their ``t0``."""
    if isinstance(source, tuple):
        return source[0][where]
    found = source[where, 0] if source.ndim == 2 else source[where] >> np.uint64(32)
    return found.view(np.int64)


def columns(source: Source) -> tuple[NDArray[np.int64], ...]:
    """Times, columns, rows and polarities as contiguous int64 that may be overwritten."""
    found = source if isinstance(source, tuple) else columns_of(source)
    return tuple(np.array(column, np.int64) for column in found)


def span(source: Source, first: int, end: int) -> int:
    """Microseconds from event ``first`` to event ``end - 1``; 0 if there is none."""
    if end <= first:
        return 0
    if isinstance(source, tuple):
        return int(source[0][end - 1]) - int(source[0][first])
    if source.ndim == 2:
        return int(source[end - 1, 0]) - int(source[first, 0])
    return (int(source[end - 1]) >> 32) - (int(source[first]) >> 32)
