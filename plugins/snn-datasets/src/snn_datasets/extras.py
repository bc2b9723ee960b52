"""Packages that only some formats need."""

from __future__ import annotations

import importlib
from types import ModuleType

from snn_datasets.errors import MissingExtra


def need(module: str, *, extra: str, what: str) -> ModuleType:
    """Imports a package that comes with an extra of this distribution.

    Args:
        what: what cannot be read without it.

    Raises: MissingExtra with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(
            f"{what} need the package {module}, which cannot be imported ({error}): "
            f'pip install "snn-datasets[{extra}]"'
        ) from error
