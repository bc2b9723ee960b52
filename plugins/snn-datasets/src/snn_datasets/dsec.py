"""HDF5 files of DSEC."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from snn_datasets.columns import from_columns
from snn_datasets.errors import FormatError
from snn_datasets.events import Streamed
from snn_datasets.extras import need
from snn_datasets.hdf5 import MAGIC, column, holds, opened
from snn_datasets.sensor import Size, check_on_sensor
from snn_datasets.words import BLOCK

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
            columns = {field: column(h5, f"events/{field}", name=name) for field in "txyp"}
            lengths = {field: len(values) for field, values in columns.items()}
            if len(set(lengths.values())) > 1:
                raise FormatError(f"{name}: columns differ in length: {lengths}")
            plist = columns["t"].id.get_create_plist()
            if any(plist.get_filter(i)[0] == _BLOSC for i in range(plist.get_nfilters())):
                need("hdf5plugin", extra="dsec", what="compressed files of DSEC")
            offset = int(h5["t_offset"][()])
            for start in range(0, lengths["t"], BLOCK):
                part = {
                    field: np.asarray(values[start : start + BLOCK])
                    for field, values in columns.items()
                }
                part["t"] = part["t"].astype(np.int64) + offset
                events = from_columns(part, name=name, first=start)
                check_on_sensor(events, _SIZE, name=name, first=start)
                yield events
