"""HDF5 files: opening them, and asking no more of a damaged one than it holds."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.extras import need
from snn_datasets.formats.columns import from_columns
from snn_datasets.sensor import Size, check_on_sensor

MAGIC = b"\x89HDF\r\n\x1a\n"


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


def column(h5: Any, path: str, *, name: str) -> Any:
    """A dataset of one dimension whose values are in the file.

    HDF5 makes up what a file does not hold: a damaged length would be read as endless zeros.

    Args:
        h5: an open file or group.
        name: what error texts call the file.

    Raises: FormatError if it is not there, no such dataset, or promises more than is stored.
    """
    found = h5.get(path)
    shape = getattr(found, "shape", None)
    if shape is None or len(shape) != 1:
        what = "is missing" if found is None else f"has the shape {shape}"
        raise FormatError(f"{name}: {path} {what}, expected is a dataset of one dimension")
    stored = (
        found.id.get_num_chunks() * found.chunks[0]
        if found.chunks
        else found.id.get_storage_size() // found.dtype.itemsize
    )
    # In a file, a value of variable length is a reference that is longer than h5py's pointer.
    if stored < shape[0]:
        raise FormatError(
            f"{name}: {path} promises {shape[0]} values, but the file holds {stored}: it is cut "
            "off or damaged"
        )
    return found


def chosen(sample: int | None, count: int, *, name: str, example: str) -> int:
    """The number of the recording to read.

    Args:
        sample: what was asked for; the only one if not given.
        count: how many the file holds.
        example: how to ask for one.

    Raises: FormatError if there is no such one, or several and none was asked for.
    """
    if sample is None and count == 1:
        return 0
    if sample is None or sample >= count:
        asked = "" if sample is None else f"; sample {sample} is none of them"
        raise FormatError(f"{name} holds {count} recordings{asked}: say which, as in {example}")
    return sample


def sound(t: Any, x: Any, size: Size, *, name: str) -> NDArray[Any]:
    """Events of a sound: x = channel, y = 0, one polarity (p = 0).

    Args:
        t: times in seconds; they are widened before they become microseconds.
        x: channels.
        size: (channels, 1).

    Raises: FormatError for lengths that differ, times that are none, or unknown channels.
    """
    t, x = np.asarray(t, np.float64), np.asarray(x)
    if t.shape != x.shape:
        raise FormatError(f"{name}: {t.size} times for {x.size} channels")
    nothing = np.zeros(x.shape, np.int64)
    events = from_columns({"t": t, "x": x, "y": nothing, "p": nothing}, name=name, unit="s")
    check_on_sensor(events, size, name=name)
    return events
