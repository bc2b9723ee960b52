"""N-TIDIGITS18 from its official file."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from snn_datasets.archives.members import FolderMembers
from snn_datasets.errors import FormatError
from snn_datasets.event_dataset import EventDataset
from snn_datasets.formats.hdf5 import column, opened
from snn_datasets.manifest import Info
from snn_datasets.place import obtain
from snn_datasets.recordings import Recordings
from snn_datasets.sets.spikes import Block, Spikes

_DIGITS = ("o", "1", "2", "3", "4", "5", "6", "7", "8", "9", "z")
_BLOCK = 64


class NTIDIGITS(EventDataset):
    """Spoken digits of TIDIGITS heard by a silicon cochlea of 64 channels: the single digits.

    11 classes: "oh" (``o``), 1 to 9, and "zero" (``z``). Recordings of several digits have no one
    label and are left out; ``read_events`` with the format ``ntidigits`` reads them.

    The file is read by lists of names: the part after the last hyphen is what was said, those
    before the last but one are the speaker.

    Args and attributes: those of :class:`snn_datasets.EventDataset`; ``recordings`` has the columns
    ``sample`` (the position in the list of the split) and ``speaker``.

    Shape: x ``[T, 1, 1, 64]``, float32 spike counts.

    Raises: as :class:`snn_datasets.EventDataset`, and MissingExtra without h5py.

    Example:
        >>> NTIDIGITS.sensor, NTIDIGITS.protocols
        ((64, 1), ('official',))

    Source: J. Anumula, D. Neil, T. Delbruck and S.-C. Liu, Feature representations for neuromorphic
        audio spike streams, Frontiers in Neuroscience 12:23, 2018.
    """

    info: ClassVar[Info] = Info.load("n_tidigits")
    sensor: ClassVar[tuple[int, int]] = (64, 1)
    polarities: ClassVar[int] = 1
    format: ClassVar[str] = "snn-datasets/ntidigits"
    _spikes: Spikes | None = None

    def find(self) -> Recordings:
        self.classes = _DIGITS
        file = self.info.archives[0].file
        (self._path,) = obtain(self.info, [file], [self.folder], download=self.download)
        with self._path.open("rb") as binary, opened(binary, name=str(self._path)) as h5:
            parts = [f"{self.split}_{part}" for part in ("labels", "timestamps", "addresses")]
            if missing := [part for part in parts if part not in h5]:
                raise FormatError(f"{self._path} has no {' and no '.join(missing)}")
            listed: list[Any] = column(h5, parts[0], name=str(self._path))[:].tolist()
        names = [name.decode("ascii") if isinstance(name, bytes) else name for name in listed]
        single = [i for i, name in enumerate(names) if _said(name) in _DIGITS]
        if not single:
            raise FormatError(
                f"{self._path} lists no recording of a single digit in {parts[0]}; expected are "
                "names such as man-ae-a-1, of which the last part is what was said"
            )
        self._samples = np.array(single, np.int64)
        self._names = [names[i] for i in single]
        members = FolderMembers(self._path.parent, suffix=self._path.name)
        zeros = np.zeros(len(single), np.int64)
        return Recordings(
            (members,),
            zeros,
            zeros + members.names.index(self._path.name),
            np.array([_DIGITS.index(_said(name)) for name in self._names], np.int64),
            {
                "sample": self._samples,
                "speaker": np.array(["-".join(name.split("-")[:-2]) for name in self._names]),
            },
        )

    def decode(self, index: int) -> NDArray[Any]:
        if self._spikes is None:
            name = f"{self._path}, {self.split}, single digits"
            with self._path.open("rb") as binary, opened(binary, name=name) as h5:
                self._spikes = Spikes.gather(self._blocks(h5), self.sensor[0], name=name)
        sample = self.recordings.columns["sample"][index]
        return self._spikes.events(int(np.searchsorted(self._samples, sample)))

    def _blocks(self, h5: Any) -> Generator[Block]:
        times, channels = (h5[f"{self.split}_{part}"] for part in ("timestamps", "addresses"))
        for first in range(0, len(self._names), _BLOCK):
            names = self._names[first : first + _BLOCK]
            yield [times[name][:] for name in names], [channels[name][:] for name in names]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_spikes": None}


def _said(name: str) -> str:
    return name.rpartition("-")[2]
