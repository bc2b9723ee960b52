"""Loops that numba compiles, where it is installed; numpy computes the same everywhere else."""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from snn_datasets.extras import need

_wanted = os.environ.get("SNN_NUMBA", "1") != "0"


def loops(module: str) -> ModuleType | None:
    """A module of compiled loops, or None where numpy is to do their work.

    numba is used if it can be imported, unless ``SNN_NUMBA=0`` is set when this package is first
    used, or :func:`use` says otherwise. Compiled code is kept in ``NUMBA_CACHE_DIR``, beside this
    package, or in the user's cache folder, the first of them that can be written to; with none,
    loops are compiled once in each process.

    Args:
        module: name within this package.

    Example:
        >>> with use(False):
        ...     loops("packed_loops") is None
        True
    """
    return _load(module) if _wanted else None


@contextmanager
def use(numba: bool) -> Generator[None]:
    """Chooses within a ``with`` block, for the whole process, whether numba is used.

    Raises: MissingExtra if it is wanted and cannot be imported.
    """
    global _wanted
    if numba:
        need("numba", extra="fast", what="compiled loops")
    before, _wanted = _wanted, numba
    try:
        yield
    finally:
        _wanted = before


@cache
def _load(module: str) -> ModuleType | None:
    try:
        numba = importlib.import_module("numba")
    except ImportError:
        return None
    name = f"snn_datasets.{module}"
    try:
        return importlib.import_module(name)
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
        # Neither this package's folder nor the user's can be written to; compiled code must lie
        # somewhere, if only for this process.
        folder = tempfile.mkdtemp(prefix="snn-numba-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        numba.config.CACHE_DIR = folder
        return importlib.import_module(name)
