"""Decoded events of a dataset, packed and mapped into memory."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snn_datasets.cache.key import Key, key_of
from snn_datasets.cache.place import beside
from snn_datasets.packed import unpack

if TYPE_CHECKING:
    from snn_datasets.event_dataset import EventDataset

EVENTS, INDEX, META, COMPLETE = "events.bin", "index.npz", "meta.json", "complete"
_WORD = 8


class _Opened(NamedTuple):
    words: NDArray[np.uint64]
    offset: NDArray[np.int64]
    events: NDArray[np.int64]
    wide: NDArray[np.bool_]
    t0: NDArray[np.int64]


class EventCache:
    """The events of the items of a dataset, from its cache.

    Holds the paths only; each process maps the file when it first reads, so that the object is
    cheap to pickle and workers may be forked or spawned.

    Args:
        folder: of the cache, with ``events.bin`` (packed events of all items, see
            :func:`snn_datasets.packed.pack`), ``index.npz`` (where each item lies, its first
            time, label, name and columns) and ``meta.json``.
        items: where the items of the dataset are among those of the cache.
    """

    def __init__(self, folder: Path, items: NDArray[np.int64]) -> None:
        self.folder = folder
        self._items = items
        self._opened: _Opened | None = None

    def words(self, index: int) -> NDArray[np.uint64]:
        """The packed events of an item, ``[N]`` or, where times need it, ``[N, 2]``; read-only."""
        opened = self._opened or self._open()
        start, count = opened.offset.item(index), opened.events.item(index)
        if opened.wide.item(index):
            return opened.words[start : start + 2 * count].reshape(-1, 2)
        return opened.words[start : start + count]

    def events(self, index: int) -> NDArray[Any]:
        """The events of an item, as they were decoded."""
        words = self.words(index)
        return unpack(words, t0=(self._opened or self._open()).t0.item(index))

    def _open(self) -> _Opened:
        path = self.folder / EVENTS
        # A view that is no memmap: slices of those are slow.
        words = np.asarray(np.memmap(path, np.uint64, "r")) if path.stat().st_size else _NONE
        with np.load(self.folder / INDEX) as index:
            columns = [index[name][self._items] for name in ("offset", "events", "wide", "t0")]
        self._opened = _Opened(words, *columns)
        return self._opened

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}


_NONE = np.empty(0, np.uint64)
_NONE.flags.writeable = False


def find_cache(dataset: EventDataset) -> EventCache | None:
    """The complete cache that was made of the files of a dataset as they are now.

    One that was made of other files, or by another version of the code, gives one notice.
    """
    places = [place for place in beside(dataset.folder) if place.is_dir()]
    if not places:
        return None
    key = key_of(dataset)
    for place in places:
        folder = place / folder_name(dataset, key)
        if is_cache(folder, key):
            return EventCache(folder, dataset.recordings.items)
    for place in places:
        for folder in stale(place, dataset, key):
            _not_used(folder)
    return None


def folder_name(dataset: EventDataset, key: Key) -> str:
    """How the folder of a cache is called."""
    return f"{dataset.info.name}-{key.name}"


def is_cache(folder: Path, key: Key) -> bool:
    """Whether a folder holds a whole cache with this key."""
    meta = read_meta(folder)
    if meta is None or meta["key"] != key.json():
        return False
    return (folder / EVENTS).stat().st_size == meta["words"] * _WORD


def stale(place: Path, dataset: EventDataset, key: Key) -> list[Path]:
    """Caches of the same files in another state, or of another version of the code."""
    found = list[Path]()
    for folder in sorted(place.glob(f"{dataset.info.name}-{key.family}-*")):
        meta = read_meta(folder)
        now = {**key.json(), "items": None}
        if meta is not None and {**meta["key"], "items": None} != now:
            found.append(folder)
    return found


def read_meta(folder: Path) -> dict[str, Any] | None:
    """What a complete cache says of itself; None if it is not complete."""
    if not (folder / COMPLETE).is_file() or not (folder / EVENTS).is_file():
        return None
    try:
        meta = json.loads((folder / META).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(meta, dict) and isinstance(meta.get("key"), dict) and "words" in meta
    return meta if known else None


@cache
def _not_used(folder: Path) -> None:
    warnings.warn(
        f"the cache {folder} was made of other files than those that are there now, or by another "
        "version of the code, and is not used. Call prepare() of the dataset to make it again.",
        UserWarning,
        stacklevel=2,
    )
