"""HDF5 files of DSEC."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.events import Streamed
from snn_datasets.extras import need
from snn_datasets.formats.columns import from_columns
from snn_datasets.formats.hdf5 import MAGIC, column, holds, opened
from snn_datasets.formats.words import BLOCK
from snn_datasets.sensor import Size, check_on_sensor

_SIZE = (640, 480)
_BLOSC = 32001


class Dsec(Streamed):
    """Events of a DSEC recording (``events.h5``): columns t, x, y, p; ``t_offset`` is added to t.

    Raises: MissingExtra without h5py, or, for compressed files, hdf5plugin.
    Source: Gehrig et al., IEEE Robotics and Automation Letters 6 (2021).
    """

    extensions: ClassVar[tuple[str, ...]] = (".h5", ".hdf5")
    magic: ClassVar[bytes] = MAGIC
    conformance: ClassVar[dict[str, Any]] = {
        "writes": False,
        "reason": "the dataset publishes such files; nobody records them",
    }

    def recognises(self, file: BinaryIO) -> bool:
        """Whether there are the columns and the offset of the times."""
        return holds(file, "events/t", "events/x", "events/y", "events/p", "t_offset")

    def size(self, file: BinaryIO, *, name: str) -> Size | None:
        """640 x 480 pixels."""
        return _SIZE

    def blocks(self, file: BinaryIO, *, name: str) -> Iterator[NDArray[Any]]:
        """Raises: FormatError for a damaged file or events off the sensor."""
        with opened(file, name=name) as h5:
            columns, count = _columns(h5, name)
            offset = int(h5["t_offset"][()])
            for start in range(0, count, BLOCK):
                yield _part(columns, offset, start, min(start + BLOCK, count), name)

    def between(self, file: BinaryIO, start_ms: int, stop_ms: int, *, name: str) -> NDArray[Any]:
        """The events of whole milliseconds [start_ms, stop_ms) after the beginning of the file.

        The index ``ms_to_idx`` says where they are; no others are read. Times are as everywhere
        with ``t_offset``.

        Raises: FormatError for a damaged file, or milliseconds beyond its index.
        """
        with opened(file, name=name) as h5:
            columns, count = _columns(h5, name)
            index = column(h5, "ms_to_idx", name=name)
            if not 0 <= start_ms <= stop_ms < len(index):
                raise FormatError(
                    f"{name}: its index covers milliseconds 0 to {len(index) - 1}; {start_ms} to "
                    f"{stop_ms} were asked for"
                )
            start, stop = int(index[start_ms]), int(index[stop_ms])
            if not start <= stop <= count:
                raise FormatError(
                    f"{name}: its index says that milliseconds {start_ms} to {stop_ms} are events "
                    f"{start} to {stop} of {count}: the file is damaged"
                )
            return _part(columns, int(h5["t_offset"][()]), start, stop, name)

    def span(self, file: BinaryIO, *, name: str) -> tuple[int, int]:
        """The time of the beginning in microseconds, and how many whole milliseconds follow it.

        Raises: FormatError for a damaged file.
        """
        with opened(file, name=name) as h5:
            return int(h5["t_offset"][()]), max(len(column(h5, "ms_to_idx", name=name)) - 1, 0)


def _columns(h5: Any, name: str) -> tuple[dict[str, Any], int]:
    """The columns t, x, y, p and their length, if the packages that read them are there."""
    columns = {field: column(h5, f"events/{field}", name=name) for field in "txyp"}
    lengths = {field: len(values) for field, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise FormatError(f"{name}: columns differ in length: {lengths}")
    plist = columns["t"].id.get_create_plist()
    if any(plist.get_filter(i)[0] == _BLOSC for i in range(plist.get_nfilters())):
        need("hdf5plugin", extra="dsec", what="compressed files of DSEC")
    return columns, lengths["t"]


def _part(columns: dict[str, Any], offset: int, start: int, stop: int, name: str) -> NDArray[Any]:
    part = {field: np.asarray(values[start:stop]) for field, values in columns.items()}
    part["t"] = part["t"].astype(np.int64) + offset
    events = from_columns(part, name=name, first=start)
    check_on_sensor(events, _SIZE, name=name, first=start)
    return events
