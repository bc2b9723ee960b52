"""Where what is derived from the files of a dataset is kept."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from pathlib import Path

from platformdirs import user_cache_dir

_HIDDEN = ".snn"


def beside(folder: Path) -> tuple[Path, Path]:
    """Where things derived from the files of a folder may lie: beside them, or with the user.

    The second is below ``SNN_CACHE``, else ``snncore`` in the user's cache folder.

    Example:
        >>> beside(Path("/data/n_mnist"))[0].as_posix()
        '/data/n_mnist/.snn'
    """
    chosen = os.environ.get("SNN_CACHE")
    own = Path(chosen).expanduser() if chosen else Path(user_cache_dir("snncore", appauthor=False))
    digest = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:12]
    return folder / _HIDDEN, own.absolute() / "datasets" / f"{folder.name}-{digest}"


def writable(folder: Path) -> Path | None:
    """The first of :func:`beside` that can be written to, made if needed; None if none can."""
    for place in beside(folder):
        try:
            place.mkdir(parents=True, exist_ok=True)
            # Access bits say nothing to the superuser and on read-only mounts.
            with tempfile.TemporaryFile(dir=place):
                return place
        except OSError:
            continue
    return None


def aside(path: Path) -> Path:
    """A name beside ``path`` that no other process takes."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")


def written_aside(path: Path, data: bytes) -> None:
    """Writes a file that is whole or not there."""
    part = aside(path)
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
