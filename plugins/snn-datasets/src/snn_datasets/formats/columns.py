"""Events from columns of numbers whose names, units and types differ from file to file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.events import make_events

Unit: TypeAlias = Literal["us", "ms", "s"]

_US = {"us": 1, "ms": 1_000, "s": 1_000_000}
_NAMES = {
    "t": ("t", "ts", "time", "times", "timestamp", "timestamps"),
    "x": ("x",),
    "y": ("y",),
    "p": ("p", "pol", "polarity", "polarities"),
}
_LATEST = float(1 << 62)


def fields_of(names: Mapping[str, Any] | tuple[str, ...] | list[str]) -> dict[str, str] | None:
    """Which of some names are t, x, y and p; None unless all four are there.

    Example:
        >>> fields_of(["x", "y", "ts", "pol"])
        {'t': 'ts', 'x': 'x', 'y': 'y', 'p': 'pol'}
    """
    lower = {name.strip().lower(): name for name in names}
    found = {
        field: lower[word] for field, words in _NAMES.items() for word in words if word in lower
    }
    return found if len(found) == len(_NAMES) else None


def from_columns(
    columns: Mapping[str, NDArray[Any]], *, name: str, unit: Unit = "us", first: int = 0
) -> NDArray[Any]:
    """Packs columns t, x, y, p of any number type, after looking at every value.

    Times are rounded to whole microseconds. Polarities are 0 and 1, or -1 and 1.

    Args:
        name: what error texts call the file.
        unit: of the times.
        first: number of the first event in the file.

    Raises: FormatError that names the first value that is none.
    """
    flat = {field: np.asarray(column) for field, column in columns.items()}
    for field, column in flat.items():
        if column.dtype.kind not in "biuf":
            raise FormatError(f"{name}: {field} is of type {column.dtype}, expected numbers")
        if column.ndim != 1:
            raise FormatError(
                f"{name}: {field} has the shape {column.shape}, expected one dimension"
            )
    lengths = {field: column.size for field, column in flat.items()}
    if len(set(lengths.values())) > 1:
        raise FormatError(f"{name}: columns differ in length: {lengths}")
    t, p = flat["t"], flat["p"]
    _refuse(~(np.abs(t.astype(np.float64)) * _US[unit] < _LATEST), "t", flat, name, first)
    exact = t.dtype.kind in "iu" or unit == "us"
    t = np.rint(t).astype(np.int64) * _US[unit] if exact else np.rint(t * float(_US[unit]))
    for field in "xy":
        column = flat[field].astype(np.float64)
        wrong = ~((column >= 0) & (column < 1 << 15)) | (column != np.floor(column))
        _refuse(wrong, field, flat, name, first)
    _refuse(~np.isin(p, (-1, 0, 1)), "p", flat, name, first)
    if p.dtype.kind in "if" and (p < 0).any():
        _refuse(p == 0, "p", flat, name, first)
    return make_events(t=t.astype(np.int64), x=flat["x"], y=flat["y"], p=p > 0)


def _refuse(
    wrong: NDArray[np.bool_], field: str, columns: Mapping[str, NDArray[Any]], name: str, first: int
) -> None:
    places = np.flatnonzero(wrong)
    if places.size:
        i = int(places[0])
        expected = {
            "t": "a time below 2^62 us",
            "x": "a column from 0 to 32767",
            "y": "a row from 0 to 32767",
            "p": "0 and 1, or -1 and 1",
        }
        raise FormatError(
            f"{name}: event {first + i} has {field} = {columns[field][i]}, expected "
            f"{expected[field]} ({places.size} such values)"
        )
