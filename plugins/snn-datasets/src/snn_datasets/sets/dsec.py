"""DSEC: windows of its sequences."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal, cast

import numpy as np
import torch
from annotated_types import Gt, MultipleOf
from numpy.typing import NDArray

import snncore
from snn_datasets.archives.members import FolderMembers
from snn_datasets.dataset import Root, Seed, Transform
from snn_datasets.errors import FormatError
from snn_datasets.event_dataset import Augment, EventDataset, Integrate
from snn_datasets.formats.dsec import Dsec
from snn_datasets.manifest import Info
from snn_datasets.place import obtain
from snn_datasets.recordings import Recordings
from snn_datasets.sets.windows import window_frames

_US = 1000
_WINDOW_US = 100_000


class DSEC(EventDataset):
    """Drives before two event cameras, 53 sequences, 640x480 pixels, as windows of equal length.

    An item is a window of ``window_us`` of one camera; windows follow each other without gap from
    the beginning of a sequence, the last incomplete one is left out. There are no classes: the
    label is the place of the sequence's name in ``classes``, all sequences that are there, of both
    splits.
    Of a file only the window is read, by its index of milliseconds; ``t_offset`` is added.

    Read are unpacked files: ``<split>.../<sequence>/events/<camera>/events.h5``, or
    ``<split>.../<sequence>/<sequence>_events_<camera>/events.h5``.

    Args:
        root: folder of the files; ``SNN_DATA/dsec`` or the user's data folder if not given.
        split: "train" or "test".
        protocol: "official".
        transform, target_transform: applied to x and y.
        download: without effect, the files have to be unpacked by hand.
        seed: of all randomness of the items.
        T: number of frames, equal parts of the window; 10 if not given.
        integrate, augment: as for all datasets of events (:class:`snn_datasets.EventDataset`).
        window_us: length of the windows, whole milliseconds.
        camera: "left" or "right".

    Attributes:
        recordings: with the column ``start``, of the window in microseconds, ``t_offset`` included.

    Shape: x ``[T, 2, 480, 640]``, float32 event counts.

    Raises: as :class:`snn_datasets.EventDataset`, and MissingExtra without h5py or hdf5plugin.

    Example:
        >>> DSEC.sensor, DSEC.splits
        ((640, 480), ('train', 'test'))

    Source: M. Gehrig et al., DSEC: a stereo event camera dataset for driving scenarios, IEEE
        Robotics and Automation Letters 6, 2021.
    """

    info: ClassVar[Info] = Info.load("dsec")
    sensor: ClassVar[tuple[int, int]] = (640, 480)
    format: ClassVar[str] = "snn-datasets/dsec"

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
        integrate: Integrate = None,
        augment: Augment = None,
        window_us: Annotated[int, Gt(0), MultipleOf(_US)] = _WINDOW_US,
        camera: Literal["left", "right"] = "left",
    ) -> None:
        self.window_us = window_us
        self.camera = camera
        super().__init__(
            root,
            split=split,
            protocol=protocol,
            transform=transform,
            target_transform=target_transform,
            download=download,
            seed=seed,
            T=T,
            integrate=integrate,
            augment=augment,
        )

    def find(self) -> Recordings:
        source, members = self._files()
        decoder = self._decoder()
        rows = list[tuple[int, int, int, int]]()
        for sequence in sorted(members):
            label = self.classes.index(sequence)
            path = source.path / source.names[members[sequence]]
            with path.open("rb") as file:
                offset, length = decoder.span(file, name=str(path))
            step = self.window_us // _US
            for begin in range(0, length - step + 1, step):
                rows.append((members[sequence], label, begin, offset + begin * _US))
        if not rows:
            raise FormatError(
                f"{source.path}: none of the {len(members)} sequences lasts {self.window_us} us; "
                "choose a smaller window_us"
            )
        member, target, begin, start = np.array(rows, np.int64).T
        columns = {"start": start, "begin_ms": begin}
        return Recordings((source,), np.zeros_like(member), member, target, columns)

    def decode(self, index: int) -> NDArray[Any]:
        recordings = self.recordings
        path = recordings.sources[0].path / recordings.path(index)
        begin = int(recordings.columns["begin_ms"][index])
        with path.open("rb") as file:
            return self._decoder().between(
                file, begin, begin + self.window_us // _US, name=str(path)
            )

    def load(self, index: int) -> torch.Tensor:
        if self.integrate is not None or self.T is None:
            return super().load(index)
        start = int(self.recordings.columns["start"][index])
        made = window_frames(
            self.vary(self.events(index), index),
            start=start,
            stop=start + self.window_us,
            T=self.T,
            size=self.sensor,
        )
        return torch.from_numpy(made)

    def _decoder(self) -> Dsec:
        return cast("Dsec", snncore.build("format", self.format))

    def _files(self) -> tuple[FolderMembers, dict[str, int]]:
        """Folder, and the file of each sequence of the split by name; sets ``classes``."""
        pattern = re.compile(
            r"(?:^|/)(train|test)[^/]*/([^/]+)/(?:events/|[^/]*events_)"
            rf"{self.camera}/events\.h5$"
        )
        if self.folder.is_dir():
            loose = FolderMembers(self.folder, suffix="events.h5")
            found = {
                (match[1], match[2]): member
                for member, name in enumerate(loose.names)
                if (match := pattern.search(name))
            }
            self.classes = tuple(sorted({sequence for _, sequence in found}))
            members = {name: at for (split, name), at in found.items() if split == self.split}
            if members:
                return loose, members
        (path,) = obtain(
            self.info, [f"{self.split}_events.zip"], [self.folder], download=self.download
        )
        raise FormatError(f"{path} cannot be read as it is; unpack it into {self.folder}")
