"""Loops that numba compiles, where it is installed; numpy computes the same everywhere else."""

from __future__ import annotations

import importlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from snn_datasets.extras import need

_wanted = os.environ.get("SNN_NUMBA", "1") != "0"


def loops(module: str) -> ModuleType | None:
    """A module of compiled loops, or None where numpy is to do their work.

    numba is used if it can be imported, unless ``SNN_NUMBA=0`` is set when this package is first
    used, or :func:`use` says otherwise.

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
        importlib.import_module("numba")
    except ImportError:
        return None
    return importlib.import_module(f"snn_datasets.{module}")
