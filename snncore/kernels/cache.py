"""The private folder of compiled kernels and captured steps."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from platformdirs import user_cache_dir

from snncore.errors import BackendError

PLAN = ".plan"
"""Ending of the file of a captured step; see :mod:`snncore.kernels.plans`."""


def folder() -> Path:
    """The cache, made on demand: ``SNN_CACHE``, else ``snncore`` in the user's cache folder.

    What lies in it is loaded as code, so it must belong to the user and be closed to others.

    Raises: BackendError when it belongs to somebody else or is open to others.
    """
    chosen = os.environ.get("SNN_CACHE")
    path = Path(chosen).expanduser() if chosen else Path(user_cache_dir("snncore", appauthor=False))
    path = path / "kernels"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if hasattr(os, "getuid") and (
        found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o022
    ):
        raise BackendError(
            f"the kernel cache {path} belongs to another user or is writable by others, and code "
            "is loaded from it; set SNN_CACHE to a folder of your own"
        )
    return path
