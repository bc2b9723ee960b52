"""Files within a tar archive, packed or not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import threading
import warnings
import zlib
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from snn_datasets.archives.in_place import InPlace
from snn_datasets.archives.members import chosen
from snn_datasets.cache.place import beside, writable, written_aside
from snn_datasets.errors import FormatError

_BLOCK = 512
_CHUNK = 1 << 20
# Skipping less than this is not felt.
_SKIPPED = 64 << 20
_FAULTS = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


class TarMembers:
    """The files within a plain tar file, read in place.

    Args:
        path: the tar file.
        suffix: only members whose names end so.

    Raises: FormatError if the file is cut or damaged, or a member is a link or has holes.
    """

    def __init__(self, path: Path, *, suffix: str = "") -> None:
        self.path = path
        with path.open("rb") as file:
            self.names, self._offset, self._size = _index(path, file, suffix)
        self._file = InPlace(path)

    def read(self, index: int) -> bytes:
        """The bytes of one member. Raises: FormatError if the archive ends within it."""
        data = self._file.read(int(self._offset[index]), int(self._size[index]))
        if len(data) != self._size[index]:
            raise _cut(self.path, self.names[index])
        return data


class PackedTarMembers:
    """The files within a tar file packed by gzip, bzip2 or xz.

    The archive is read whole when it is first opened; where its members lie is then kept in the
    cache folder. It can only be unpacked from its beginning: reading members in their order is
    as fast as unpacking, reading one that lies before the last begins again, with one notice per
    process that says so.

    Args:
        path: the archive.
        suffix: only members whose names end so.

    Raises: FormatError if the file is cut or damaged, or a member is a link or has holes.
    """

    def __init__(self, path: Path, *, suffix: str = "") -> None:
        self.path = path
        names, offset, size = _kept_index(path)
        kept = chosen(path, zip(names, zip(offset, size, strict=True), strict=True), suffix)
        self.names = tuple(name for name, _ in kept)
        self._offset = np.array([place[0] for _, place in kept], np.int64)
        self._size = np.array([place[1] for _, place in kept], np.int64)
        self._stream: _Stream | None = None

    def read(self, index: int) -> bytes:
        """The bytes of one member. Raises: FormatError if the archive is damaged up to it."""
        # A forked process must not move the position of its parent.
        if self._stream is None or self._stream.process != os.getpid():
            self._stream = _Stream(self.path)
        data = self._stream.read(int(self._offset[index]), int(self._size[index]))
        if len(data) != self._size[index]:
            raise _cut(self.path, self.names[index])
        return data

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_stream": None}


class _Stream:
    """The unpacked bytes of an archive, at a position that goes forward."""

    def __init__(self, path: Path) -> None:
        self.process = os.getpid()
        self._path = path
        self._file = _unpacked(path)
        self._lock = threading.Lock()
        self._last: tuple[int, bytes] | None = None

    def read(self, offset: int, count: int) -> bytes:
        with self._lock:
            # Several items of a dataset may be cut from one file.
            if self._last is not None and self._last[0] == offset:
                return self._last[1]
            if not 0 <= offset - self._file.tell() <= _SKIPPED:
                _slow(self._path)
            try:
                self._file.seek(offset)
                data = self._file.read(count)
            except (OSError, *_FAULTS) as error:
                raise _damaged(self._path, error) from error
            self._last = offset, data
            return data


@cache
def _slow(path: Path) -> None:
    warnings.warn(
        f"{path} can only be unpacked from its beginning, which is done again for items that are "
        "asked for out of order. Call prepare() of the dataset once, and items come from its "
        "cache; or unpack the archive.",
        UserWarning,
        stacklevel=2,
    )


def _unpacked(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        head = file.read(6)
    if head.startswith(b"BZh"):
        return cast("BinaryIO", bz2.open(path))
    if head == b"\xfd7zXZ\x00":
        return cast("BinaryIO", lzma.open(path))
    return cast("BinaryIO", gzip.open(path))


_Index = tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]


def _kept_index(path: Path) -> _Index:
    """The index of all members: from the cache folder, else made and left there."""
    found = path.stat()
    stamp = np.array([found.st_size, found.st_mtime_ns], np.int64)
    name = f"{path.name}.index.npz"
    for folder in beside(path.parent):
        if (folder / name).is_file():
            with np.load(folder / name) as kept:
                if np.array_equal(kept["stamp"], stamp):
                    return tuple(kept["names"].tolist()), kept["offset"], kept["size"]
    with _unpacked(path) as file:
        index = _index(path, file, "")
    folder = writable(path.parent)
    if folder is not None:
        body = io.BytesIO()
        names = np.array(index[0], np.str_)
        np.savez(body, stamp=stamp, names=names, offset=index[1], size=index[2])
        written_aside(folder / name, body.getvalue())
    return index


def _index(path: Path, file: BinaryIO, suffix: str) -> _Index:
    source = _Watched(file)
    try:
        with tarfile.open(fileobj=cast("BinaryIO", source), mode="r:") as archive:
            entries = [(entry.name, entry) for entry in archive if not entry.isdir()]
        place = file.tell()
        while file.read(_CHUNK):
            pass  # a packed file is checked at its end
    except (OSError, *_FAULTS) as error:
        raise _damaged(path, error) from error
    # The module takes a damaged header, and the end of the file, for the end of the archive.
    if source.last != bytes(_BLOCK):
        raise _damaged(path, f"what lies before byte {place} is neither a member nor the end")
    kept = chosen(path, entries, suffix)
    for name, entry in kept:
        if not entry.isreg() or entry.issparse():
            raise FormatError(
                f"{path}, member {name} is no plain file but a link, a device or a file with "
                "holes; unpack the archive into a folder"
            )
    return (
        tuple(name for name, _ in kept),
        np.array([entry.offset_data for _, entry in kept], np.int64),
        np.array([entry.size for _, entry in kept], np.int64),
    )


class _Watched:
    """A file that remembers what was read of it last."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell = file.seek, file.tell
        self._file = file
        self.last = b""

    def read(self, size: int) -> bytes:
        self.last = self._file.read(size)
        return self.last


def _damaged(path: Path, reason: object) -> FormatError:
    return FormatError(
        f"{path} is no readable tar file ({reason}): an interrupted copy or a saved web page? "
        "Delete it and get it again."
    )


def _cut(path: Path, name: str) -> FormatError:
    return FormatError(f"{path}, member {name}: the archive ends within it")
