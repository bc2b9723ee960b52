"""Archives of which single files cannot be read in place, unpacked once."""

from __future__ import annotations

import os
import shutil
import tarfile
import zlib
from pathlib import Path

from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from snn_datasets.errors import FormatError, MissingData
from snn_datasets.manifest import readable_size


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpacks a tar archive into ``folder``, unless that is there already.

    Files are written aside and the whole is renamed at the end, so ``folder`` is complete when it
    exists. Several processes may ask at once: one unpacks, the others wait for it. Names that lead
    out of the folder, links out of it and devices are refused.

    Returns: ``folder``.

    Raises:
        FormatError: the archive is damaged, or holds what is refused.
        MissingData: the disk has not room for twice the size of the archive.
    """
    if folder.is_dir():
        return folder
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        if folder.is_dir():  # another process may have unpacked it meanwhile
            return folder
        need, free = 2 * archive.stat().st_size, shutil.disk_usage(archive.parent).free
        if free < need:
            raise MissingData(
                f"{archive} is to be unpacked beside it, for which {readable_size(need)} should be "
                f"free; there are {readable_size(free)}"
            )
        # Left over where a process was killed; the lock says that nobody writes there now.
        for aside in folder.parent.glob(f".{folder.name}.*.part"):
            shutil.rmtree(aside)
        aside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
        try:
            _extract(archive, aside)
            aside.replace(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return folder


def _extract(archive: Path, target: Path) -> None:
    target.mkdir()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    quiet = not console.is_terminal
    try:
        with (
            Progress(*columns, console=console, transient=True, disable=quiet) as progress,
            archive.open("rb") as file,
            tarfile.open(fileobj=file) as tar,
        ):
            task = progress.add_task(f"unpacking {archive.name}", total=archive.stat().st_size)
            for member in tar:
                tar.extract(member, target, filter="data")
                progress.update(task, completed=file.tell())
    except tarfile.FilterError as error:
        raise FormatError(f"{archive} is refused: {error}") from error
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise FormatError(
            f"{archive} is no whole tar archive ({error}): delete it and get it again"
        ) from error
