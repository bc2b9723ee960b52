"""HDF5 files of many labelled recordings of spikes, as SHD publishes them."""

from __future__ import annotations

import io
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snn_datasets.archives.members import Members
from snn_datasets.errors import FormatError
from snn_datasets.formats.hdf5 import column, opened
from snn_datasets.sets.spikes import Block, Spikes

# Recordings that are read at once.
_BLOCK = 512
_PARTS = ("spikes/times", "spikes/units", "labels")


class Header(NamedTuple):
    """What a file says of its recordings.

    Args:
        labels: int64, of each recording.
        speakers: int64, of each recording; None in files that do not tell.
        keys: names of the classes; empty in files that do not tell.
    """

    labels: NDArray[np.int64]
    speakers: NDArray[np.int64] | None
    keys: tuple[str, ...]


class SpikeFile:
    """A file ``spikes/times`` (seconds), ``spikes/units``, ``labels``, maybe ``extra/...``.

    Spikes are read when the first recording is asked for, then all of them: one by one each would
    cost ten times as much. They stay in the memory of this process, 6 bytes per spike, and are no
    part of a pickle.

    Args:
        members: the archive or folder.
        member: the position of the file within it.
        units: how many there are.

    Raises: FormatError if the file is damaged; MissingExtra without h5py.
    """

    def __init__(self, members: Members, member: int, *, units: int) -> None:
        self.members = members
        self.member = member
        self.units = units
        self._spikes: Spikes | None = None

    @property
    def path(self) -> Path:
        """The file, or the archive that it is in."""
        folder = self.members.path
        return folder / self.members.names[self.member] if folder.is_dir() else folder

    @property
    def name(self) -> str:
        """What error texts call it."""
        packed = self.path == self.members.path
        return (
            f"{self.path}, member {self.members.names[self.member]}" if packed else f"{self.path}"
        )

    def header(self) -> Header:
        """Labels, speakers and names of the classes; no spike is read.

        Raises: FormatError if parts are missing or differ in length.
        """
        with self._opened() as h5:
            missing = [part for part in _PARTS if part not in h5]
            if missing:
                raise FormatError(
                    f"{self.name} has no {' and no '.join(missing)}; files like those of SHD have "
                    f"{', '.join(_PARTS)}"
                )
            lengths = {part: len(column(h5, part, name=self.name)) for part in _PARTS}
            speakers: NDArray[np.int64] | None = None
            if "extra/speaker" in h5:
                speakers = np.asarray(h5["extra/speaker"][:]).astype(np.int64)
                lengths["extra/speaker"] = len(speakers)
            if len(set(lengths.values())) > 1:
                told = ", ".join(f"{count} of {part}" for part, count in lengths.items())
                raise FormatError(f"{self.name}: its parts differ in length: {told}")
            labels = np.asarray(h5["labels"][:]).astype(np.int64)
            keys: list[bytes] = h5["extra/keys"][:].tolist() if "extra/keys" in h5 else []
        return Header(labels, speakers, tuple(key.decode("utf-8") for key in keys))

    def events(self, sample: int) -> NDArray[Any]:
        """One recording, equal to that of the format ``shd``: x = unit, y = 0, p = 0.

        Raises: FormatError if the file is damaged, or a unit is none of ``units``.
        """
        if self._spikes is None:
            with self._opened() as h5:
                self._spikes = Spikes.gather(_blocks(h5), self.units, name=self.name)
        return self._spikes.events(sample)

    @contextmanager
    def _opened(self) -> Generator[Any]:
        packed = self.path == self.members.path
        file = io.BytesIO(self.members.read(self.member)) if packed else self.path.open("rb")
        with file, opened(file, name=self.name) as h5:
            yield h5

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_spikes": None}


def _blocks(h5: Any) -> Generator[Block]:
    times, units = h5["spikes/times"], h5["spikes/units"]
    for first in range(0, len(times), _BLOCK):
        yield times[first : first + _BLOCK], units[first : first + _BLOCK]
