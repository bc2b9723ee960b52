"""HDF5 files of the spoken digits and commands of Heidelberg."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any, BinaryIO, ClassVar

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from snn_datasets.columns import from_columns
from snn_datasets.errors import FormatError
from snn_datasets.extras import need
from snn_datasets.sensor import Size, check_on_sensor

MAGIC = b"\x89HDF\r\n\x1a\n"
_SIZE = (700, 1)


class Shd:
    """One recording of an SHD or SSC file (``.h5``): x = unit, y = 0, one polarity (p = 0).

    Times are stored as float16 seconds; they are widened before they become microseconds.

    Args:
        sample: number of the recording; needed where a file holds several.

    Raises: MissingExtra without h5py.
    Source: Cramer et al., IEEE Transactions on Neural Networks and Learning Systems 33 (2022).
    """

    extensions: ClassVar[tuple[str, ...]] = (".h5", ".hdf5")
    magic: ClassVar[bytes] = MAGIC
    conformance: ClassVar[dict[str, Any]] = {
        "writes": False,
        "reason": "such files hold many recordings with labels",
    }

    def __init__(self, sample: Annotated[int, Ge(0)] | None = None) -> None:
        self.sample = sample

    def recognises(self, file: BinaryIO) -> bool:
        """Whether there are spike times and units."""
        return holds(file, "spikes/times", "spikes/units")

    def size(self, file: BinaryIO, *, name: str) -> Size | None:
        """700 units."""
        return _SIZE

    def read(self, file: BinaryIO, *, name: str) -> NDArray[Any]:
        """The events of one recording. Raises: FormatError if damaged, or there is no such one."""
        with opened(file, name=name) as h5:
            times, units = h5["spikes/times"], h5["spikes/units"]
            count = len(times)
            if count != len(units):
                raise FormatError(f"{name}: {count} recordings of times, {len(units)} of units")
            sample = 0 if self.sample is None and count == 1 else self.sample
            if sample is None or sample >= count:
                asked = "" if sample is None else f"; sample {sample} is none of them"
                raise FormatError(
                    f"{name} holds {count} recordings{asked}: say which, as in "
                    '{"name": "shd", "sample": 0}'
                )
            t, x = np.asarray(times[sample], np.float64), np.asarray(units[sample])
        if t.shape != x.shape:
            raise FormatError(f"{name}, sample {sample}: {t.size} times for {x.size} units")
        nothing = np.zeros(x.shape, np.int64)
        columns = {"t": t, "x": x, "y": nothing, "p": nothing}
        events = from_columns(columns, name=f"{name}, sample {sample}", unit="s")
        check_on_sensor(events, _SIZE, name=f"{name}, sample {sample}")
        return events


@contextmanager
def opened(file: BinaryIO, *, name: str) -> Generator[Any]:
    """An open HDF5 file; whatever goes wrong inside is a FormatError.

    Raises: MissingExtra without h5py.
    """
    h5py = need("h5py", extra="hdf5", what="HDF5 files")
    file.seek(0)
    try:
        with h5py.File(file, "r") as h5:
            yield h5
    except (FormatError, ImportError):
        raise
    except Exception as error:  # the library raises almost anything for a damaged file
        raise FormatError(
            f"{name} is no HDF5 file as expected, or damaged ({type(error).__name__}: {error})"
        ) from error


def holds(file: BinaryIO, *paths: str) -> bool:
    """Whether a file is HDF5 with these datasets in it. Raises: MissingExtra without h5py."""
    file.seek(0)
    if file.read(len(MAGIC)) != MAGIC:
        return False
    try:
        with opened(file, name="the file") as h5:
            return all(path in h5 for path in paths)
    except FormatError:
        return False
