"""HARDVS from its zip files of actions and its lists of splits."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from snn_datasets.errors import FormatError
from snn_datasets.event_dataset import EventDataset
from snn_datasets.manifest import Info
from snn_datasets.place import obtain
from snn_datasets.recordings import Recordings
from snn_datasets.sets.unpacked import parts_of

_FILE = "MINI_HARDVS_files.zip"
_CLASSES = tuple(f"action_{number:03d}" for number in range(1, 301))
_MEMBER = re.compile(r"(?:^|/)(action_[0-9]{3})/(?:.*/)?([^/]+)\.npz$")
_INNER = re.compile(r"(?:^|/)action_[0-9]{3}\.zip$")
_LISTED = re.compile(r"(action_[0-9]{3})/(\S+?)(?:\.npz)?(?:\s+[0-9]+)?$")


class HARDVS(EventDataset):
    """300 human activities before a DAVIS346, about five seconds each, 346x260 pixels.

    The published archive is a zip file of 300 zip files: unpack the outer one; ``action_001.zip``
    to ``action_300.zip`` are read in place, as are folders of these names. Splits are those of
    ``train_label.txt``, ``val_label.txt`` and ``test_label.txt``, which name each recording as
    ``action_001/<recording>``; items are in their order. The label is the number of the action
    less one.

    Args and shape: those of :class:`snn_datasets.EventDataset`; x ``[T, 2, 260, 346]``.

    Raises: as :class:`snn_datasets.EventDataset`.

    Example:
        >>> HARDVS.sensor, HARDVS.splits
        ((346, 260), ('train', 'val', 'test'))

    Source: X. Wang et al., HARDVS: revisiting human activity recognition with dynamic vision
        sensors, AAAI Conference on Artificial Intelligence, 2024.
    """

    info: ClassVar[Info] = Info.load("hardvs")
    sensor: ClassVar[tuple[int, int]] = (346, 260)
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    format: ClassVar[str] = "snn-datasets/npz"

    def find(self) -> Recordings:
        self.classes = _CLASSES
        (listing,) = obtain(
            self.info, [f"{self.split}_label.txt"], [self.folder], download=self.download
        )
        sources = parts_of(self, [_FILE], suffix=".npz", pattern=_MEMBER, inner=_INNER)
        place = dict[tuple[str, str], tuple[int, int]]()
        for source, members in enumerate(sources):
            for member, name in enumerate(members.names):
                # Of an inner archive only its own name says the action.
                match = _MEMBER.search(f"{members.path.stem}/{name}")
                if match is not None:
                    place[match[1], match[2]] = source, member
        rows = list[tuple[int, int, int]]()
        for line in filter(None, map(str.strip, listing.read_text("utf-8-sig").splitlines())):
            match = _LISTED.match(line)
            if match is None or match[1] not in _CLASSES:
                raise FormatError(
                    f"{listing} holds the line {line!r}, expected action_<number>/<recording>"
                )
            if (match[1], match[2]) not in place:
                raise FormatError(
                    f"{listing} names the recording {match[1]}/{match[2]}.npz, which is not among "
                    f"the {len(place)} below {self.folder}"
                )
            rows.append((*place[match[1], match[2]], _CLASSES.index(match[1])))
        if not rows:
            raise FormatError(f"{listing} names no recordings")
        source, member, targets = np.array(rows, np.int64).T
        return Recordings(tuple(sources), source, member, targets)
