"""Files within an archive, read in place, or within a folder."""

from __future__ import annotations

import os
import struct
import weakref
import zipfile
import zlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from snn_datasets.errors import FormatError

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_SIGNATURE = b"PK\x03\x04"


class Members(Protocol):
    """Files that belong together, by position; cheap to pickle, safe to read from any process."""

    @property
    def path(self) -> Path:
        """The archive or folder."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each file within it, with ``/`` between folders."""
        ...

    def read(self, index: int) -> bytes:
        """The bytes of one file. Raises: FormatError if it is damaged."""
        ...


def open_members(path: Path, *, suffix: str = "") -> Members:
    """The files of a folder or archive whose names end in ``suffix``.

    Raises: FormatError if the archive is none that can be read.
    """
    return FolderMembers(path, suffix=suffix) if path.is_dir() else ZipMembers(path, suffix=suffix)


class FolderMembers:
    """The files below a folder, in the order of their names.

    Args:
        path: the folder.
        suffix: only files whose names end so.
    """

    def __init__(self, path: Path, *, suffix: str = "") -> None:
        self.path = path
        self.names = tuple(
            sorted(
                file.relative_to(path).as_posix()
                for file in path.rglob(f"*{suffix}")
                if file.is_file()
            )
        )

    def read(self, index: int) -> bytes:
        """The bytes of one file."""
        return (self.path / self.names[index]).read_bytes()


class ZipMembers:
    """The files within a zip file, by position; nothing is extracted to disk.

    The directory of the archive is read once; the object holds only arrays of offsets, so it is
    cheap to pickle. Each process opens the file when it first reads, and reads do not move a
    shared position: forked and spawned workers and threads may all read at once.

    Args:
        path: the zip file.
        suffix: only members whose names end so.

    Raises: FormatError if the file is no readable zip file.
    """

    def __init__(self, path: Path, *, suffix: str = "") -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                infos = [i for i in archive.infolist() if not i.is_dir()]
        except (zipfile.BadZipFile, EOFError) as error:
            raise FormatError(
                f"{path} is no readable zip file ({error}): an interrupted copy or a saved web "
                "page? Delete it and get it again."
            ) from error
        infos = [i for i in infos if i.filename.endswith(suffix)]
        self.names = tuple(i.filename for i in infos)
        self._offset = np.array([i.header_offset for i in infos], np.int64)
        self._packed = np.array([i.compress_size for i in infos], np.int64)
        self._method = np.array([i.compress_type for i in infos], np.int16)
        self._crc = np.array([i.CRC for i in infos], np.int64)
        self._file: int | None = None

    def read(self, index: int) -> bytes:
        """The bytes of one member.

        Raises: FormatError naming archive and member if it is damaged or packed in another way
            than stored or deflated.
        """
        header = self._at(int(self._offset[index]), _LOCAL_HEADER.size, index)
        signature, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        if signature != _SIGNATURE:
            raise self._fault(index, "its header is damaged")
        start = int(self._offset[index]) + _LOCAL_HEADER.size + name_length + extra_length
        data = self._at(start, int(self._packed[index]), index)
        method = int(self._method[index])
        if method == zipfile.ZIP_DEFLATED:
            try:
                data = zlib.decompress(data, -zlib.MAX_WBITS)
            except zlib.error as error:
                raise self._fault(index, f"its data are damaged ({error})") from error
        elif method != zipfile.ZIP_STORED:
            raise self._fault(index, f"it is packed by method {method}; pack it again by deflate")
        if zlib.crc32(data) != self._crc[index]:
            raise self._fault(index, "its data do not match their checksum")
        return data

    def _at(self, offset: int, count: int, index: int) -> bytes:
        if self._file is None:
            self._file = os.open(self.path, os.O_RDONLY)
            weakref.finalize(self, os.close, self._file)
        data = os.pread(self._file, count, offset)
        if len(data) != count:
            raise self._fault(index, "the archive ends within it")
        return data

    def _fault(self, index: int, reason: str) -> FormatError:
        return FormatError(f"{self.path}, member {self.names[index]}: {reason}")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}
