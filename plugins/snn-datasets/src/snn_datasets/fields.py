"""The four columns of an array of events, whatever its dtype."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.events import EVENT

Columns: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


def fields(events: NDArray[Any]) -> Columns:
    """Times, columns, rows and polarities: views of :data:`EVENT`, else copies as int64.

    All are read-only, so that compiled loops meet two sets of types only.

    Raises: FormatError if a field is missing or holds no integers (or, for p, booleans).

    Example:
        >>> [column.tolist() for column in fields(np.array([(9, 3, 4, 1)], EVENT))]
        [[9], [3], [4], [1]]
    """
    # memmap and recarray take numba's slow path
    events = np.asarray(events)
    if events.dtype == EVENT:
        if events.ndim != 1:
            raise FormatError(_shape(events))
        events = events.view()
        events.flags.writeable = False
        return events["t"], events["x"], events["y"], events["p"]
    missing = [name for name in "txyp" if name not in (events.dtype.names or ())]
    if missing:
        raise FormatError(
            f"events need the fields t, x, y, p; {', '.join(missing)} missing in {events.dtype}"
        )
    if events.ndim != 1:
        raise FormatError(_shape(events))
    for name in "txyp":
        kind = events[name].dtype
        if kind.kind in "iu" or (name == "p" and kind.kind == "b"):
            continue
        what, expected = {
            "t": ("times", "integer microseconds"),
            "p": ("polarities", "integers or booleans"),
        }.get(name, (name, "integers"))
        raise FormatError(f"events have {what} of type {kind}; expected are {expected}")
    return _int64(events["t"]), _int64(events["x"]), _int64(events["y"]), _int64(events["p"])


def _int64(column: NDArray[Any]) -> NDArray[np.int64]:
    copy = column.astype(np.int64)
    copy.flags.writeable = False
    return copy


def _shape(events: NDArray[Any]) -> str:
    return f"events have the shape {events.shape}, expected is one dimension"
