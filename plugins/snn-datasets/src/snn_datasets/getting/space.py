"""Room on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from snn_datasets.errors import DownloadError
from snn_datasets.manifest import readable_size

# A disk that is full to the last byte troubles more than this program.
_RESERVE = 64 * 2**20


def check_space(folder: Path, needed: int, *, what: str) -> None:
    """Compares bytes that are to be written with those that are free.

    Args:
        folder: where they are written to; it need not exist yet.
        what: what is written, for the error text.

    Raises: DownloadError if less than 64 MiB would remain.
    """
    place = next((place for place in (folder, *folder.parents) if place.is_dir()), folder)
    free = shutil.disk_usage(place).free
    if needed + _RESERVE > free:
        raise DownloadError(
            f"{folder} has {readable_size(free)} free, {what} needs {readable_size(needed)}. "
            "Free some space, or set SNN_DATA to a larger disk."
        )
