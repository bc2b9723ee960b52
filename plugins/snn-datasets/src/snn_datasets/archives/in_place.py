"""Bytes of a file by position, from any process and thread."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Any


class InPlace:
    """A file that each process opens when it first reads.

    Reads do not move a shared position: forked and spawned workers and threads may all read at
    once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def read(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset`` on; fewer if the file ends before."""
        if self._file is None:
            self._file = os.open(self._path, os.O_RDONLY)
            weakref.finalize(self, os.close, self._file)
        return os.pread(self._file, count, offset)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}
