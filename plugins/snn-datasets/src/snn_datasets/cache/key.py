"""What a cache of events was made of."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from snn_datasets.archives.members import Members
    from snn_datasets.event_dataset import EventDataset
    from snn_datasets.recordings import Recordings

LAYOUT = 1
"""Counted up when the files of a cache mean something else."""


@dataclass(frozen=True)
class Key:
    """What the events of a cache depend on; a cache with another key is not theirs.

    Args:
        dataset: class of the dataset.
        options: its parameters that :meth:`~snn_datasets.EventDataset.decode` may look at.
        version: of its way of decoding.
        sources: name and state of each archive and folder.
        items: digest of which recording each item is.
        layout: of the files of the cache.
    """

    dataset: str
    options: str
    version: int
    sources: tuple[tuple[str, str], ...]
    items: str
    layout: int = LAYOUT

    @property
    def family(self) -> str:
        """Digest of what changes neither with the files nor with the code."""
        names = [name for name, _ in self.sources]
        return _digest(json.dumps([self.dataset, self.options, names]))[:8]

    @property
    def name(self) -> str:
        """What the folder of the cache is called, apart from the dataset's name."""
        return f"{self.family}-{self.items[:8]}"

    def json(self) -> dict[str, Any]:
        """As ``meta.json`` has it."""
        return {**asdict(self), "sources": [list(source) for source in self.sources]}


def key_of(dataset: EventDataset) -> Key:
    """The key of the cache of all recordings that the dataset's were taken from."""
    cls = type(dataset)
    whole = dataset.recordings.whole
    return Key(
        dataset=f"{cls.__module__}.{cls.__qualname__}",
        options=_options(dataset),
        version=cls.version,
        sources=tuple(
            (_relative(source.path, dataset.folder), fingerprint(source))
            for source in whole.sources
        ),
        items=_items(whole),
    )


def fingerprint(source: Members) -> str:
    """Size and time of change of an archive, or of all files of a folder."""
    if not source.path.is_dir():
        return _state(source.path)
    return _digest("\n".join(f"{name} {_state(source.path / name)}" for name in source.names))


def _state(path: Path) -> str:
    found = os.stat(path)
    return f"{found.st_size} bytes of {found.st_mtime_ns} ns"


def _relative(path: Path, folder: Path) -> str:
    # A folder of data may be moved with its cache.
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def _options(dataset: EventDataset) -> str:
    """Own parameters of the dataset, but for those that it says come after decoding."""
    from snn_datasets.event_dataset import EventDataset  # it uses this module

    common = {*inspect.signature(EventDataset).parameters, *dataset.after_decoding}
    own = sorted(set(inspect.signature(type(dataset)).parameters) - common)
    return json.dumps({name: vars(dataset).get(name) for name in own}, default=repr)


def _items(recordings: Recordings) -> str:
    digest = hashlib.sha256()
    for source in recordings.sources:
        digest.update("\0".join(source.names).encode() + b"\1")
    columns = {"": recordings.source, "\0": recordings.member, **recordings.columns}
    for name, column in sorted(columns.items()):
        values = np.asarray(column)
        body = repr(values.tolist()).encode() if values.dtype.hasobject else values.tobytes()
        digest.update(f"{name} {values.dtype} {values.shape} ".encode() + body)
    return digest.hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
