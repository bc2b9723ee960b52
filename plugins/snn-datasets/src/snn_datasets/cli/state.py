"""How far a dataset has come: which files are here, and whether its cache is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from snn_datasets.manifest import Info
from snn_datasets.place import present


def fetched(info: Info, folder: Path) -> str:
    """In words, how many of the published files are in the folder."""
    here, total = len(present(info, folder)), len(info.archives)
    if not total:
        return "none needed"
    if here == total:
        return "present"
    return f"{here} of {total}" if here else "missing"


def cached(target: Any, folder: Path) -> str:
    """In words, whether there is a cache of the events."""
    return ""
