"""Files within an archive, read in place, or within a folder."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from snn_datasets.archives.in_place import InPlace
from snn_datasets.errors import FormatError

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 1
_PACKED_TAR = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_Entry = TypeVar("_Entry")


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

    The name of an archive says what it is: ``.tar``, packed or not, ``.rar``, and else zip.

    Raises:
        FormatError: the archive is none that can be read.
        MissingExtra: a rar archive, and there is nothing to read it with.
    """
    name = path.name.lower()
    if path.is_dir():
        return FolderMembers(path, suffix=suffix)
    if name.endswith((".tar", *_PACKED_TAR)):
        from snn_datasets.archives.tar_members import (  # few datasets need it
            PackedTarMembers,
            TarMembers,
        )

        return (TarMembers if name.endswith(".tar") else PackedTarMembers)(path, suffix=suffix)
    if name.endswith(".rar"):
        from snn_datasets.archives.rar_members import RarMembers  # needs a package of its own

        return RarMembers(path, suffix=suffix)
    return ZipMembers(path, suffix=suffix)


def chosen(
    path: Path, entries: Iterable[tuple[str, _Entry]], suffix: str
) -> list[tuple[str, _Entry]]:
    """The entries of an archive, by name, that are files of a dataset.

    What systems and editors leave behind (``.git``, ``__MACOSX``, ``._a.bin``) is none.

    Raises: FormatError for a name that points outside of the archive.
    """
    kept = list[tuple[str, _Entry]]()
    for name, entry in entries:
        parts = name.replace("\\", "/").split("/")
        if name.startswith("/") or ".." in parts or parts[0].endswith(":"):
            raise FormatError(
                f"{path} holds a file named {name!r}, which points outside of it; it is not used. "
                "Get the archive again, from its publisher."
            )
        parts = [part for part in parts if part not in ("", ".")]
        if name.endswith(suffix) and not any(map(_is_debris, parts)):
            kept.append(("/".join(parts), entry))
    return kept


def _is_debris(part: str) -> bool:
    return part.startswith(".") or part == "__MACOSX"


class FolderMembers:
    """The files below a folder, in the order of their names.

    Args:
        path: the folder.
        suffix: only files whose names end so.
    """

    def __init__(self, path: Path, *, suffix: str = "") -> None:
        self.path = path
        found = list[tuple[str, None]]()
        for folder, folders, files in os.walk(path):
            folders[:] = [name for name in folders if not _is_debris(name)]
            within = Path(folder).relative_to(path)
            found.extend(((within / name).as_posix(), None) for name in files)
        self.names = tuple(sorted(name for name, _ in chosen(path, found, suffix)))

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
        kept = chosen(path, ((i.filename, i) for i in infos), suffix)
        self.names = tuple(name for name, _ in kept)
        infos = [i for _, i in kept]
        self._offset = np.array([i.header_offset for i in infos], np.int64)
        self._packed = np.array([i.compress_size for i in infos], np.int64)
        self._method = np.array([i.compress_type for i in infos], np.int16)
        self._crc = np.array([i.CRC for i in infos], np.int64)
        self._encrypted = np.array([i.flag_bits & _ENCRYPTED for i in infos], np.bool_)
        self._file = InPlace(path)

    def read(self, index: int) -> bytes:
        """The bytes of one member.

        Raises: FormatError naming archive and member if it is damaged or packed in another way
            than stored or deflated.
        """
        if self._encrypted[index]:
            raise self._fault(index, "it is encrypted; unpack the archive with its password")
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
        data = self._file.read(offset, count)
        if len(data) != count:
            raise self._fault(index, "the archive ends within it")
        return data

    def _fault(self, index: int, reason: str) -> FormatError:
        return FormatError(f"{self.path}, member {self.names[index]}: {reason}")
