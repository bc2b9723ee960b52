"""DVS128 Gesture from its recordings and label files."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

import snncore
from snn_datasets.archives.members import FolderMembers, Members
from snn_datasets.errors import FormatError
from snn_datasets.event_dataset import EventDataset
from snn_datasets.manifest import Info
from snn_datasets.recordings import Recordings
from snn_datasets.sets.unpacked import parts_of

_FILE = "DvsGesture.tar.gz"
_CLASSES = (
    "hand clapping",
    "right hand wave",
    "left hand wave",
    "right arm clockwise",
    "right arm counter clockwise",
    "left arm clockwise",
    "left arm counter clockwise",
    "arm roll",
    "air drums",
    "air guitar",
    "other gestures",
)
_HEAD = "class,startTime_usec,endTime_usec"
_TEXT = re.compile(r"(?:^|/)(?:trials_to_(?:train|test)\.txt|user[^/]*_labels\.csv)$")
_RECORDING = re.compile(r"user([0-9]+)_([a-z_]+)$")
_CUT = re.compile(r"(?:^|/)(user([0-9]+)_([a-z_]+))/([0-9]+)\.npy$")


class DVSGesture(EventDataset):
    """Eleven hand and arm gestures of 29 people in five lights before a DVS128, 128x128 pixels.

    Protocols:
        - ``official``: the recordings of ``trials_to_train.txt`` and ``trials_to_test.txt`` (users
          1 to 23, and 24 to 29); an item is an interval [start, end) of a ``_labels.csv``. Each
          interval is cut by itself, so that intervals may overlap. A folder is read wherever in it
          these files lie; else ``DvsGesture.tar.gz``, which has to be unpacked from its beginning
          each time that the dataset is built.
        - ``precut``: the ``.npy`` files of ``ibmGestureTrain.tar.gz`` and ``ibmGestureTest.tar.gz``
          that another library publishes: at most one item of each class and recording, times in
          whole milliseconds.

    Labels are the numbers 1 to 11 of the files less one, in the order of ``classes``. Pixels are
    those of the files, from the upper left. Events that a file marks as invalid are dropped.

    The last recording read is kept, since its items come one after the other; a random order reads
    and cuts a whole recording for each item, unless the dataset was prepared.

    Args and shape: those of :class:`snn_datasets.EventDataset`; x ``[T, 2, 128, 128]``.

    Attributes:
        recordings: with the columns ``user`` (number), ``light`` (name), and, of the official
            protocol, ``start`` and ``end`` in microseconds.

    Raises: as :class:`snn_datasets.EventDataset`.

    Example:
        >>> DVSGesture.protocols, DVSGesture.info.counts["the paper"]
        (('official', 'precut'), {'all': 1342})

    Source: A. Amir et al., A low power, fully event-based gesture recognition system, IEEE
        Conference on Computer Vision and Pattern Recognition, 2017.
    """

    info: ClassVar[Info] = Info.load("dvs_gesture")
    sensor: ClassVar[tuple[int, int]] = (128, 128)
    protocols: ClassVar[tuple[str, ...]] = ("official", "precut")
    format: ClassVar[str] = "snn-datasets/aedat31"
    # Which recording was read last, and its events.
    _whole: tuple[tuple[int, int], NDArray[Any]] | None = None

    def find(self) -> Recordings:
        self.classes = _CLASSES
        return self._precut() if self.protocol == "precut" else self._official()

    def decode(self, index: int) -> NDArray[Any]:
        recordings = self.recordings
        if self.protocol == "precut":
            decoder = snncore.build("format", "snn-datasets/npy", columns="xypt", unit="ms")
            return decoder.read(io.BytesIO(recordings.read(index)), name=recordings.name(index))
        events = self._recording(index)
        start, end = recordings.columns["start"][index], recordings.columns["end"][index]
        return events[(events["t"] >= start) & (events["t"] < end)]

    def _recording(self, index: int) -> NDArray[Any]:
        key = (int(self.recordings.source[index]), int(self.recordings.member[index]))
        held = self._whole
        if held is None or held[0] != key:
            held = self._whole = key, super().decode(index)
        return held[1]

    def _official(self) -> Recordings:
        listing = f"trials_to_{self.split}.txt"
        source = self._source(listing)
        place = {name.rpartition("/")[2]: i for i, name in enumerate(source.names)}
        texts = _Texts(source)
        rows = list[tuple[int, int, int, int, int, str]]()
        for line in texts.words(listing):
            stem = line.removesuffix(".aedat")
            match = _RECORDING.match(stem)
            if match is None or f"{stem}.aedat" not in place:
                raise FormatError(
                    f"{source.path}: {listing} names the recording {line!r}, which is not there"
                )
            for label, start, end in texts.intervals(f"{stem}_labels.csv"):
                member = place[f"{stem}.aedat"]
                rows.append((member, label - 1, start, end, int(match[1]), match[2]))
        if not rows:
            raise FormatError(f"{source.path}: {listing} names no recordings")
        *numbers, lights = zip(*rows, strict=True)
        member, target, start, end, user = np.array(numbers, np.int64)
        columns = {"user": user, "light": np.array(lights), "start": start, "end": end}
        return Recordings((source,), np.zeros_like(member), member, target, columns)

    def _source(self, listing: str) -> Members:
        if self.folder.is_dir():
            for path in sorted(self.folder.rglob(listing)):
                return FolderMembers(path.parent)
        return self.open(_FILE)

    def _precut(self) -> Recordings:
        title = self.split.title()
        pattern = re.compile(rf"(?:^|/)ibmGesture{title}/.*\.npy$")
        sources = parts_of(self, [f"ibmGesture{title}.tar.gz"], suffix=".npy", pattern=pattern)

        def labelled(name: str) -> tuple[tuple[str, int], int] | None:
            match = _CUT.search(name) if pattern.search(name) else None
            if match is None or int(match[4]) >= len(_CLASSES):
                return None
            return (match[1], int(match[4])), int(match[4])

        found = Recordings.find(
            sources, labelled, expected=f"files named ibmGesture{title}/<user>_<light>/<class>.npy"
        )
        matches = [cast("re.Match[str]", _CUT.search(path)) for path in found.paths()]
        columns = {
            "user": np.array([int(match[2]) for match in matches]),
            "light": np.array([match[3] for match in matches]),
        }
        return replace(found, columns=columns)

    def __getstate__(self) -> dict[str, Any]:
        return {**cast("dict[str, Any]", super().__getstate__()), "_whole": None}


class _Texts:
    """Lists and label files, read in the order of the archive, which a packed one needs."""

    def __init__(self, source: Members) -> None:
        self._path = source.path
        self._bodies = {
            name.rpartition("/")[2]: source.read(i)
            for i, name in enumerate(source.names)
            if _TEXT.search(name)
        }

    def words(self, file: str) -> list[str]:
        """What stands in a file, parted by blanks and line ends."""
        if file not in self._bodies:
            raise FormatError(f"{self._path} holds no {file}, which says what its recordings are")
        return self._bodies[file].decode("utf-8-sig", "replace").split()

    def intervals(self, file: str) -> list[tuple[int, int, int]]:
        """(class, start, end) of each line of a label file."""
        head, *lines = self.words(file) or [""]
        if head != _HEAD:
            raise FormatError(f"{self._path}, {file} begins with {head!r}, expected {_HEAD!r}")
        rows = list[tuple[int, int, int]]()
        for line in lines:
            try:
                label, start, end = (int(word) for word in line.split(","))
            except ValueError:
                label, start, end = 0, 0, 0
            if not (1 <= label <= len(_CLASSES) and start < end):
                raise FormatError(
                    f"{self._path}, {file} holds the line {line!r}; expected are a class from 1 "
                    f"to {len(_CLASSES)}, a start and a later end in microseconds"
                )
            rows.append((label, start, end))
        return rows
