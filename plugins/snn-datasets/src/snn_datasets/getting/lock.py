"""One writer of a file at a time."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from snn_datasets.errors import DownloadError


@contextmanager
def locked(folder: Path, file: str) -> Generator[None]:
    """Makes the folder, and keeps other processes from writing ``file`` into it meanwhile.

    Raises: DownloadError if the folder is not writable.
    """
    lock = FileLock(folder / f".{file}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise DownloadError(
            f"cannot write to {folder} ({error}). Set SNN_DATA, or pass root=..., to a folder "
            "that you may write to."
        ) from error
    try:
        yield
    finally:
        lock.release()
