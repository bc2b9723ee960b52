"""The idx.gz files of MNIST."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError

_UINT8 = 0x08


def idx_shape(path: Path) -> tuple[int, ...]:
    """Shape of the array in an idx.gz file; reads its header alone. Raises: FormatError."""
    with gzip.open(path) as file:
        return _header(cast("BinaryIO", file), path)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of bytes in an idx.gz file.

    Raises: FormatError if the file is no gzip file, no idx file of bytes, or cut off.

    Source: file format section of the MNIST home page: two zero bytes, one byte element type, one
        byte number of dimensions, each dimension as big-endian uint32, then the elements.
    """
    with gzip.open(path) as file:
        shape = _header(cast("BinaryIO", file), path)
        data = _read(cast("BinaryIO", file), path)
    if len(data) != math.prod(shape):
        raise FormatError(
            f"{path} holds {len(data)} elements, its header announces {math.prod(shape)} "
            f"{shape}: it is damaged, get it again"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _header(file: BinaryIO, path: Path) -> tuple[int, ...]:
    head = _read(file, path, 4)
    if len(head) != 4 or head[:2] != b"\0\0" or head[2] != _UINT8:
        raise FormatError(
            f"{path} begins with {head.hex(' ')}, an idx file of bytes begins with 00 00 08"
        )
    sizes = _read(file, path, 4 * head[3])
    if len(sizes) != 4 * head[3]:
        raise FormatError(f"{path} ends within its header: it is cut off, get it again")
    return struct.unpack(f">{head[3]}I", sizes)


def _read(file: Any, path: Path, count: int = -1) -> bytes:
    try:
        return file.read(count)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FormatError(f"{path} is no whole gzip file ({error}): get it again") from error
