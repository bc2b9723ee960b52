"""How far a dataset has come: which files are here, and whether its cache is."""

from __future__ import annotations

from pathlib import Path

from snn_datasets.cache.place import beside
from snn_datasets.cache.reader import COMPLETE, EVENTS
from snn_datasets.manifest import Info, readable_size
from snn_datasets.place import present


def fetched(info: Info, folder: Path) -> str:
    """In words, how many of the published files are in the folder."""
    here, total = len(present(info, folder)), len(info.archives)
    if not total:
        return "none needed"
    if here == total:
        return "present"
    return f"{here} of {total}" if here else "missing"


def cached(info: Info, folder: Path) -> str:
    """In words, whether events of the dataset are in a cache, and how large it is."""
    found = [
        path.with_name(EVENTS)
        for place in beside(folder)
        for path in place.glob(f"{info.name}-*/{COMPLETE}")
    ]
    return f"ready, {readable_size(sum(path.stat().st_size for path in found))}" if found else ""
