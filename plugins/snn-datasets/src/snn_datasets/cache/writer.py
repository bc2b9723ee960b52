"""Making the cache of a dataset: decoded once, written aside, renamed when it is whole."""

from __future__ import annotations

import copy
import io
import json
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
import torch
import torch.utils.data
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from snn_datasets.cache.key import Key, key_of
from snn_datasets.cache.place import aside, beside, writable
from snn_datasets.cache.reader import (
    COMPLETE,
    EVENTS,
    INDEX,
    META,
    EventCache,
    folder_name,
    is_cache,
    stale,
)
from snn_datasets.errors import CacheError, FormatError
from snn_datasets.getting.progress import item_bar
from snn_datasets.manifest import readable_size
from snn_datasets.packed import pack

if TYPE_CHECKING:
    from snn_datasets.event_dataset import EventDataset

_CHUNK = 64
_WORD = 8
# Left free on the disk.
_RESERVE = 256 << 20


class _Packed(NamedTuple):
    """The events of some items, one behind the other."""

    words: NDArray[np.uint64]
    lengths: NDArray[np.int64]
    events: NDArray[np.int64]
    wide: NDArray[np.bool_]
    t0: NDArray[np.int64]


def prepare(dataset: EventDataset, *, workers: int = 0, progress: bool = True) -> EventCache:
    """Decodes all recordings that those of a dataset were taken from, unless it has been done.

    The cache serves all splits and protocols that are drawn from the same recordings. It is
    written into a folder aside and renamed when it is whole: a run that was killed leaves nothing
    that is used, and the next one begins again. Of several processes one works and the others
    wait for it.

    It lies in ``.snn`` in the folder of the dataset or, if that cannot be written to, below
    ``SNN_CACHE``, else ``snncore`` in the user's cache folder.

    Args:
        workers: processes that decode; 0 for this one.
        progress: show a bar if this is a terminal.

    Raises:
        ValueError: ``workers`` is negative.
        FormatError: a recording is damaged.
        CacheError: there is no place to write to, or no space left.
    """
    if workers < 0:
        raise ValueError(f"prepare: workers must be at least 0, got {workers}")
    key = key_of(dataset)
    name = folder_name(dataset, key)
    items = dataset.recordings.items
    for place in beside(dataset.folder):
        if is_cache(place / name, key):
            return EventCache(place / name, items)
    place = writable(dataset.folder)
    if place is None:
        own, users = beside(dataset.folder)
        raise CacheError(
            f"{dataset.info.title}: the cache can be written neither to {own} nor to {users}; set "
            "SNN_CACHE to a folder that you may write to"
        )
    target = place / name
    with _locked(place / f".{name}.lock", progress):
        if not is_cache(target, key):  # another process may have made it meanwhile
            _sweep(place, name)
            _write(dataset, key, target, workers, item_bar(progress))
            for folder in stale(place, dataset, key):
                _remove(folder)
    return EventCache(target, items)


@contextmanager
def _locked(path: Path, progress: bool) -> Generator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        console = Console(stderr=True)
        if progress and console.is_terminal:
            console.print("Another process prepares this dataset; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _sweep(place: Path, name: str) -> None:
    """Removes what killed runs have left. The lock says that nobody writes it now."""
    for path in place.glob(f".{name}.*"):
        if path.is_dir():
            _remove(path)


def _remove(folder: Path) -> None:
    # What another process still has open cannot go on every system; the next run sweeps it.
    shutil.rmtree(folder, ignore_errors=True)


def _write(dataset: EventDataset, key: Key, target: Path, workers: int, bar: Progress) -> None:
    folder = aside(target)
    try:
        folder.mkdir()
        _fill(folder, dataset, key, workers, bar)
        old = aside(target)
        if target.exists():
            os.rename(target, old)
        os.rename(folder, target)
        _sync(target.parent)
        _remove(old)
    except OSError as error:
        raise CacheError(f"{target.parent}: the cache cannot be written ({error})") from error
    finally:
        _remove(folder)


def _fill(folder: Path, dataset: EventDataset, key: Key, workers: int, bar: Progress) -> None:
    whole = dataset.recordings.whole
    # In the order of the files: packed archives are read from their beginning to their end.
    order = np.lexsort((whole.member, whole.source))
    parts = list[_Packed]()
    done = written = 0
    with (folder / EVENTS).open("wb") as file, bar:
        task = bar.add_task(f"{dataset.info.title}: events", total=len(whole))
        for part in _decoded(dataset, order, workers):
            part.words.tofile(file)
            parts.append(part._replace(words=part.words[:0]))
            done += part.events.size
            written += part.words.size
            _check_space(folder, dataset, written * _WORD * (len(whole) - done) // done)
            bar.update(task, completed=done)
        _sync_file(file)
    columns = {
        name: np.concatenate([np.empty(0, dtype), *(getattr(part, name) for part in parts)])
        for name, dtype in (("lengths", "i8"), ("events", "i8"), ("wide", "?"), ("t0", "i8"))
    }
    lengths = columns.pop("lengths").astype(np.int64)
    columns["offset"] = np.cumsum(lengths) - lengths
    back = np.argsort(order)
    table: dict[str, Any] = {name: column[back] for name, column in columns.items()}
    table |= {"target": whole.targets, "name": np.array(whole.paths(), np.str_)}
    table |= {
        f"column.{name}": column if not column.dtype.hasobject else column.astype(np.str_)
        for name, column in whole.columns.items()
    }
    body = io.BytesIO()
    np.savez(body, **table)
    meta = {
        "title": dataset.info.title,
        "items": len(whole),
        "events": int(columns["events"].sum()),
        "words": int(lengths.sum()),
        "key": key.json(),
    }
    text = json.dumps(meta, indent=1).encode()
    for name, data in ((INDEX, body.getvalue()), (META, text), (COMPLETE, b"")):
        with (folder / name).open("wb") as file:
            file.write(data)
            _sync_file(file)
    _sync(folder)


def _check_space(folder: Path, dataset: EventDataset, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + _RESERVE > free:
        raise CacheError(
            f"{folder.parent} has {readable_size(free)} free, the cache of {dataset.info.title} "
            f"needs about {readable_size(needed)} more. Free some space, or move the dataset to a "
            "larger disk."
        )


class _Chunks(torch.utils.data.Dataset[_Packed]):
    """Packed events of some items at a time."""

    def __init__(self, dataset: EventDataset, order: NDArray[np.int64]) -> None:
        self._dataset = copy.copy(dataset)
        self._dataset.recordings = dataset.recordings.whole
        self._dataset.targets = dataset.recordings.whole.targets
        self._dataset.cache = None
        # Decoding does not look at them, and not all can be sent to other processes.
        self._dataset.transform = self._dataset.target_transform = None
        self._dataset.integrate = self._dataset.augment = None
        self._order = order

    def __len__(self) -> int:
        return -(-self._order.size // _CHUNK)

    def __getitem__(self, chunk: int) -> _Packed:
        items = self._order[chunk * _CHUNK : (chunk + 1) * _CHUNK].tolist()
        packed = [self._pack(item) for item in items]
        return _Packed(
            np.concatenate([words.reshape(-1) for words, _ in packed]),
            np.array([words.size for words, _ in packed], np.int64),
            np.array([len(words) for words, _ in packed], np.int64),
            np.array([words.ndim == 2 for words, _ in packed], np.bool_),
            np.array([t0 for _, t0 in packed], np.int64),
        )

    def _pack(self, item: int) -> tuple[NDArray[np.uint64], int]:
        events = self._dataset.decode(item)
        t0, last = (int(events["t"].min()), int(events["t"].max())) if events.size else (0, 0)
        try:
            return pack(events, t0=t0, wide=last - t0 >= 1 << 32), t0
        except FormatError as error:
            raise FormatError(f"{self._dataset.recordings.name(item)}: {error}") from error


def _decoded(dataset: EventDataset, order: NDArray[np.int64], workers: int) -> Iterator[_Packed]:
    chunks = _Chunks(dataset, order)
    if not workers:
        return map(chunks.__getitem__, range(len(chunks)))
    # Its own generator: a loader would otherwise take a number from torch's.
    as_fetched: Any = _as_fetched
    return iter(
        torch.utils.data.DataLoader(
            chunks,
            batch_size=None,
            num_workers=workers,
            collate_fn=as_fetched,
            generator=torch.Generator(),
        )
    )


def _as_fetched(chunk: _Packed) -> _Packed:
    return chunk


def _sync_file(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Makes names last through a power cut, where folders can be opened."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
