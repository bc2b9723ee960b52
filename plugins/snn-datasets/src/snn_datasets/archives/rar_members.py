"""Files within a rar archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snn_datasets.archives.members import chosen
from snn_datasets.errors import FormatError, MissingExtra
from snn_datasets.extras import need


def need_rar() -> Any:
    """The package that reads rar archives. Call it before any is downloaded.

    Raises: MissingExtra that says what to install, a Python package or a program.
    """
    rarfile = need("rarfile", extra="rar", what="rar archives")
    try:
        rarfile.tool_setup()
    except rarfile.RarCannotExec as error:
        raise MissingExtra(
            "rar archives need a program that unpacks them, and there is none: install unrar, "
            "unar, 7z or bsdtar (Debian and Ubuntu: apt install unrar; macOS: brew install rar; "
            "conda: conda install -c conda-forge unrar), or unpack the archives into folders of "
            "their names"
        ) from error
    return rarfile


class RarMembers:
    """The files within a rar archive, unpacked one by one by a program such as ``unrar``.

    Each read starts the program: prepare a dataset before it is trained with.

    Args:
        path: the archive.
        suffix: only members whose names end so.

    Raises:
        MissingExtra: the package or the program is not installed.
        FormatError: the file is no readable rar archive.
    """

    def __init__(self, path: Path, *, suffix: str = "") -> None:
        self.path = path
        rarfile = need_rar()
        try:
            with rarfile.RarFile(path) as archive:
                entries = [(i.filename, i) for i in archive.infolist() if not i.is_dir()]
        except rarfile.Error as error:
            raise FormatError(
                f"{path} is no readable rar archive ({error}): an interrupted copy or a saved web "
                "page? Delete it and get it again."
            ) from error
        kept = chosen(path, entries, suffix)
        for name, entry in kept:
            if entry.needs_password():
                raise FormatError(f"{path}, member {name}: it is encrypted; unpack the archive")
        self.names = tuple(name for name, _ in kept)
        self._stored = [entry.filename for _, entry in kept]
        self._archive: Any = None

    def read(self, index: int) -> bytes:
        """The bytes of one member. Raises: FormatError if it is damaged."""
        rarfile = need_rar()
        try:
            if self._archive is None:
                self._archive = rarfile.RarFile(self.path)
            return self._archive.read(self._stored[index])
        except rarfile.Error as error:
            raise FormatError(
                f"{self.path}, member {self.names[index]}: it cannot be unpacked ({error})"
            ) from error

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_archive": None}
