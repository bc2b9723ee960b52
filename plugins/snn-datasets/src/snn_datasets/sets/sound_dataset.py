"""What datasets of spoken words as spikes share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from snn_datasets.archives.members import FolderMembers, Members
from snn_datasets.dataset import Root, Seed, Transform
from snn_datasets.errors import FormatError
from snn_datasets.event_dataset import Augment, EventDataset, Integrate
from snn_datasets.integration.slices import By
from snn_datasets.place import notice
from snn_datasets.recordings import Recordings
from snn_datasets.sets.spike_file import Header, SpikeFile
from snn_datasets.splits import leave_one_out
from snncore.errors import ConfigError
from snncore.registry import label

LEAVE_ONE_OUT = "leave_one_speaker_out"


class SoundDataset(EventDataset):
    """Base of datasets of spikes of a cochlea, one HDF5 file per split as SHD has them.

    Protocols:
        - ``official``: train and test as published.
        - ``leave_one_speaker_out``: of the recordings of all files, test has those of ``speaker``
          and train has the others.

    Spikes of a recording whose times descend are sorted by time, stably, before they are cut into
    frames; :meth:`events` gives them as published.

    Args:
        root: folder of the files; ``SNN_DATA/<name>`` or the user's data folder if not given.
        split: one of ``splits``.
        protocol: see above.
        transform, target_transform: applied to x and y.
        download: fetch missing files, verified and resumed.
        seed: of all randomness of the items.
        T, by, duration_us, integrate, augment: as for all datasets of events
            (:class:`snn_datasets.EventDataset`).
        channels: neighbouring units are added up to this many; must divide their number.
        speaker: who is left out, by the number in the files; the lowest if not given.

    Attributes:
        recordings: with the columns ``sample`` (number within its file) and, where the files
            tell it, ``speaker``.

    Shape: x ``[T, 1, 1, channels]``, float32 spike counts.

    Raises:
        ConfigError: for a parameter of wrong type, choice or range.
        MissingData: a file is missing and ``download`` is false.
        FormatError: a file is damaged.
        MissingExtra: h5py is not installed.
    """

    sensor: ClassVar[tuple[int, int]] = (700, 1)
    polarities: ClassVar[int] = 1
    protocols: ClassVar[tuple[str, ...]] = ("official", LEAVE_ONE_OUT)
    format: ClassVar[str] = "snn-datasets/shd"
    after_decoding: ClassVar[tuple[str, ...]] = ("channels", "speaker")
    """Own parameters that do not change what :meth:`decode` gives."""
    _files: list[SpikeFile]

    def __init__(
        self,
        root: Root = None,
        *,
        split: str = "train",
        protocol: str | None = None,
        transform: Transform = None,
        target_transform: Transform = None,
        download: bool = False,
        seed: Seed = 0,
        T: Annotated[int, Gt(0)] | None = None,
        by: By = "count",
        duration_us: Annotated[int, Gt(0)] | None = None,
        integrate: Integrate = None,
        augment: Augment = None,
        channels: Annotated[int, Gt(0)] | None = None,
        speaker: Annotated[int, Ge(0)] | None = None,
    ) -> None:
        self.channels = channels
        self.speaker = speaker
        super().__init__(
            root,
            split=split,
            protocol=protocol,
            transform=transform,
            target_transform=target_transform,
            download=download,
            seed=seed,
            T=T,
            by=by,
            duration_us=duration_us,
            integrate=integrate,
            augment=augment,
        )

    @property
    def size(self) -> tuple[int, int]:
        """(channels, 1): what ``augment`` leaves of ``sensor``, added up."""
        width, height = super().size
        return -(-width // self._share), height

    @property
    def _share(self) -> int:
        """Units that become one channel."""
        return self.sensor[0] // (self.channels or self.sensor[0])

    def find(self) -> Recordings:
        units = self.sensor[0]
        if self.channels is not None and units % self.channels:
            raise ConfigError(
                f"dataset {label(self)}: channels must divide the {units} units, got "
                f"{self.channels}"
            )
        pooled = self.protocol == LEAVE_ONE_OUT
        if not pooled and self.speaker is not None:
            raise ConfigError(
                f"dataset {label(self)}: speaker = {self.speaker} means something under protocol "
                f"{LEAVE_ONE_OUT!r} alone, not {self.protocol!r}"
            )
        opened = [self.members(split) for split in (self.splits if pooled else (self.split,))]
        self._files = [SpikeFile(*where, units=units) for where in opened]
        headers = [file.header() for file in self._files]
        if not pooled:
            self._compare(headers[0])
        self.classes = self._classes(headers)
        found = _recordings(self._files, headers)
        return self._of_speakers(found) if pooled else found

    def members(self, split: str) -> tuple[Members, int]:
        """Where the file of a split is: an archive or folder, and its position within."""
        file = f"{self.info.name}_{split}.h5"
        if (self.folder / file).is_file():
            return only_member(FolderMembers(self.folder, suffix=file), file)
        return only_member(self.open(f"{file}.zip", suffix=file), file)

    def decode(self, index: int) -> NDArray[Any]:
        file = self._files[self.recordings.source[index]]
        return file.events(int(self.recordings.columns["sample"][index]))

    def vary(self, events: NDArray[Any], index: int) -> NDArray[Any]:
        events = super().vary(events, index)
        if (np.diff(events["t"]) < 0).any():
            events = events[np.argsort(events["t"], kind="stable")]
        if self._share == 1:
            return events
        grouped = events.copy()
        grouped["x"] //= self._share
        return grouped

    def _compare(self, header: Header) -> None:
        official = self.info.samples.get(self.split, len(header.labels))
        if len(header.labels) != official:
            notice(
                self._files[0].path,
                f"it holds {len(header.labels)} recordings, the official one {official}",
            )

    def _classes(self, headers: Sequence[Header]) -> tuple[str, ...]:
        """The names in the files; numbers, where they have none."""
        named = {header.keys for header in headers if header.keys}
        if len(named) > 1:
            raise FormatError(
                f"{' and '.join(file.name for file in self._files)} differ in extra/keys, the "
                "names of the classes"
            )
        if named:
            (names,) = named
        elif self.info.classes:
            names = tuple(str(number) for number in range(self.info.classes))
        else:
            raise FormatError(
                f"{self._files[0].name} has no extra/keys, the names of the classes by label"
            )
        for file, header in zip(self._files, headers, strict=True):
            wrong = np.flatnonzero((header.labels < 0) | (header.labels >= len(names)))
            if wrong.size:
                k = int(wrong[0])
                raise FormatError(
                    f"{file.name}, sample {k}: its label is {header.labels[k]}, expected 0 to "
                    f"{len(names) - 1} ({wrong.size} such labels)"
                )
        return names

    def _of_speakers(self, found: Recordings) -> Recordings:
        """Train or test of leaving ``speaker`` out."""
        if "speaker" not in found.columns:
            raise FormatError(
                f"{self._files[0].name} has no extra/speaker, which protocol {LEAVE_ONE_OUT!r} "
                "needs"
            )
        speakers = found.columns["speaker"]
        speaker = int(speakers.min()) if self.speaker is None else self.speaker
        try:
            test = leave_one_out(speakers, speaker)
        except ValueError as error:
            raise ConfigError(f"dataset {label(self)}: speaker: {error}") from error
        return found.take(test if self.split == "test" else ~test)


def only_member(members: Members, file: str) -> tuple[Members, int]:
    """The archive or folder, and the position in it of the member whose name ends in ``file``.

    Raises: FormatError if there is none.
    """
    if not members.names:
        raise FormatError(f"{members.path} holds no {file}")
    # A longer name is that of another file, or of a copy in a folder below.
    return members, members.names.index(min(members.names, key=len))


def _recordings(files: Sequence[SpikeFile], headers: Sequence[Header]) -> Recordings:
    counts = [len(header.labels) for header in headers]
    columns = {"sample": np.concatenate([np.arange(count) for count in counts])}
    speakers = [header.speakers for header in headers if header.speakers is not None]
    if len(speakers) == len(headers):
        columns["speaker"] = np.concatenate(speakers)
    return Recordings(
        tuple(file.members for file in files),
        np.repeat(np.arange(len(files)), counts),
        np.repeat([file.member for file in files], counts),
        np.concatenate([header.labels for header in headers]),
        columns,
    )
