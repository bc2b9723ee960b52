"""The errors of this plugin."""

from __future__ import annotations

from snncore.errors import SnnError


class FormatError(SnnError, ValueError):
    """A file or an array of events is not what its format says."""


class MissingData(SnnError, FileNotFoundError):
    """Files of a dataset are not where they were looked for."""


class DownloadError(SnnError, RuntimeError):
    """No mirror gave the file."""


class MissingExtra(SnnError, ImportError):
    """A package that a format needs is not installed."""


class CacheError(SnnError, RuntimeError):
    """A cache cannot be made."""
