"""Prophesee's Gen1 automotive detection dataset: windows of events with boxes."""

from __future__ import annotations

import io
import re
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from annotated_types import Ge, Gt
from numpy.typing import NDArray

import snncore
from snn_datasets.archives.members import FolderMembers
from snn_datasets.dataset import Root, Seed, Transform
from snn_datasets.errors import FormatError
from snn_datasets.event_dataset import Augment, EventDataset, Integrate
from snn_datasets.formats.dat import BOX, read_boxes
from snn_datasets.formats.percent import PercentHeader
from snn_datasets.manifest import Info
from snn_datasets.place import obtain
from snn_datasets.recordings import Recordings
from snn_datasets.sets.windows import window_frames

_CLASSES = ("car", "pedestrian")
_RECORDING = re.compile(r"(?:^|/)(train|val|test)/(?:.*/)?([^/]+)_td\.dat$")
_WORD = np.dtype([("t", "<u4"), ("data", "<u4")])
_EVENT_MARKS = 2
_WINDOW_US = 100_000
_SKIPPED_US = 500_000
_LEAST_DIAGONAL = 30.0
_LEAST_SIDE = 10.0


class Gen1(EventDataset):
    """Cars and pedestrians before a moving ATIS, 39 hours with boxes, 304x240 pixels.

    An item is a window of events before a labelled time t, [t - window_us, t), and the boxes of
    that time. Recordings are read where they lie, unpacked: ``train``, ``val`` and ``test`` with
    files ``<recording>_td.dat`` and ``<recording>_bbox.npy``; of a recording only the window is
    read. All files of boxes of the split are read at the beginning.

    Args:
        root: folder of the files; ``SNN_DATA/gen1`` or the user's data folder if not given.
        split: "train", "val" or "test".
        protocol: "official".
        transform, target_transform: applied to x and y.
        download: without effect, the files have to be fetched by hand.
        seed: of all randomness of the items.
        T: number of frames, equal parts of the window; 10 if not given.
        integrate, augment: as for all datasets of events (:class:`snn_datasets.EventDataset`).
        window_us: length of the window in microseconds.
        skip_us, least_diagonal, least_side: boxes at or before this time of a recording, and those
            with a diagonal, width or height in pixels below these, are left out, and times without
            other boxes are no items. What is left out if they are not given is what the published
            evaluation leaves out: 0.5 s, 30 and 10 pixels. 0 keeps all.

    Attributes:
        targets: how many boxes each item has.
        recordings: with the columns ``time`` (microseconds) and ``recording`` (name).

    Shape: x ``[T, 2, 240, 304]``, float32 event counts; y ``[boxes]``, a structured array of
        :data:`snn_datasets.formats.dat.BOX`. Items differ in their number of boxes: batch them by a
        ``collate_fn`` of your own, such as ``list``.

    Raises: as :class:`snn_datasets.EventDataset`.

    Example:
        >>> Gen1.sensor, Gen1.splits
        ((304, 240), ('train', 'val', 'test'))

    Source: P. de Tournemire et al., A large scale event-based detection dataset for automotive,
        arXiv 2001.08499, 2020; the rule of the boxes: E. Perot et al., Learning to detect objects
        with a 1 megapixel event camera, NeurIPS, 2020.
    """

    info: ClassVar[Info] = Info.load("gen1")
    sensor: ClassVar[tuple[int, int]] = (304, 240)
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    format: ClassVar[str] = "snn-datasets/dat"
    conformance: ClassVar[dict[str, Any]] = {
        "classifies": False,
        "reason": "y are the boxes of a time",
    }
    after_decoding: ClassVar[tuple[str, ...]] = ("skip_us", "least_diagonal", "least_side")

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
        window_us: Annotated[int, Gt(0)] = _WINDOW_US,
        skip_us: Annotated[int, Ge(0)] = _SKIPPED_US,
        least_diagonal: Annotated[float, Ge(0)] = _LEAST_DIAGONAL,
        least_side: Annotated[float, Ge(0)] = _LEAST_SIDE,
    ) -> None:
        self.window_us = window_us
        self.skip_us = skip_us
        self.least_diagonal = least_diagonal
        self.least_side = least_side
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
        self.classes = _CLASSES
        source = self._source()
        chosen = [
            (match[2], member)
            for member, name in enumerate(source.names)
            if (match := _RECORDING.search(name)) and match[1] == self.split
        ]
        boxes = [np.empty(0, BOX)]
        names, members, times = list[str](), list[int](), list[int]()
        for recording, member in sorted(chosen):
            path = source.path / source.names[member]
            for labelled in self._labelled(path.with_name(f"{recording}_bbox.npy")):
                boxes.append(labelled)
                names.append(recording)
                members.append(member)
                times.append(int(labelled["t"][0]))
        if not times:
            raise FormatError(
                f"{source.path} holds {len(chosen)} recordings of {self.split} and no boxes that "
                "count; expected are files <recording>_td.dat with <recording>_bbox.npy beside"
            )
        self._boxes = np.concatenate(boxes)
        counts = np.array([len(part) for part in boxes[1:]], np.int64)
        columns = {
            "recording": np.array(names),
            "time": np.array(times, np.int64),
            "first_box": np.cumsum(counts) - counts,
        }
        at = np.array(members, np.int64)
        return Recordings((source,), np.zeros_like(at), at, counts, columns)

    def target(self, index: int) -> NDArray[Any]:
        """The boxes of item ``index``."""
        first = int(self.recordings.columns["first_box"][index])
        return self._boxes[first : first + int(self.recordings.targets[index])].copy()

    def decode(self, index: int) -> NDArray[Any]:
        recordings = self.recordings
        source = recordings.sources[int(recordings.source[index])]
        stop = int(recordings.columns["time"][index])
        path = source.path / recordings.path(index)
        data = _window(path, max(stop - self.window_us, 0), stop)
        return snncore.build("format", self.format).read(io.BytesIO(data), name=str(path))

    def load(self, index: int) -> torch.Tensor:
        if self.integrate is not None or self.T is None:
            return super().load(index)
        stop = int(self.recordings.columns["time"][index])
        made = window_frames(
            self.vary(self.events(index), index),
            start=stop - self.window_us,
            stop=stop,
            T=self.T,
            size=self.sensor,
        )
        return torch.from_numpy(made)

    def _source(self) -> FolderMembers:
        if self.folder.is_dir():
            loose = FolderMembers(self.folder, suffix="_td.dat")
            if any((match := _RECORDING.search(n)) and match[1] == self.split for n in loose.names):
                return loose
        (path,) = obtain(self.info, [f"{self.split}.7z"], [self.folder], download=self.download)
        raise FormatError(
            f"{path} cannot be read as it is; unpack it (7-Zip) into {self.folder / self.split}"
        )

    def _labelled(self, path: Path) -> Iterator[NDArray[Any]]:
        """The boxes that count, by time."""
        try:
            boxes = read_boxes(path)
        except FileNotFoundError as error:
            raise FormatError(f"{path} is missing; it holds the boxes of its recording") from error
        wide, high = boxes["w"], boxes["h"]
        boxes = boxes[
            (boxes["t"] > self.skip_us if self.skip_us else boxes["t"] >= 0)
            & (np.hypot(wide, high) >= self.least_diagonal)
            & (np.minimum(wide, high) >= self.least_side)
        ]
        boxes = boxes[np.argsort(boxes["t"], kind="stable")]
        cuts = np.flatnonzero(np.diff(boxes["t"])) + 1
        yield from (part for part in np.split(boxes, cuts) if part.size)


def _window(path: Path, start: int, stop: int) -> bytes:
    """A file of the events of [start, stop) microseconds; their times ascend within a recording."""
    with path.open("rb") as file:
        header = PercentHeader.read(file).bytes
    header += _EVENT_MARKS if header else 0
    count, rest = divmod(path.stat().st_size - header, _WORD.itemsize)
    if rest:
        raise FormatError(
            f"{path} has {rest} bytes after event {count}, no whole number of events: it is cut off"
        )
    words = np.memmap(path, _WORD, "r", offset=header, shape=(count,)) if count else _EMPTY
    first, last = (
        bisect_left(range(count), time, key=lambda i: int(words["t"][i])) for time in (start, stop)
    )
    with path.open("rb") as file:
        return file.read(header) + words[first:last].tobytes()


_EMPTY = np.empty(0, _WORD)
