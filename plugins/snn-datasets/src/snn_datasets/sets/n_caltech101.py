"""N-Caltech101 from its official zip file."""

from __future__ import annotations

import re
from typing import ClassVar

from snn_datasets.event_dataset import EventDataset
from snn_datasets.manifest import Info
from snn_datasets.place import notice
from snn_datasets.recordings import Recordings
from snn_datasets.sets.unpacked import parts_of
from snn_datasets.splits import stratified

_FILE = "Caltech101.zip"
_CLASSES = 101
_MEMBER = re.compile(r"(?:^|/)([^/]+)/image_([0-9]+)\.bin$")
_INNER = re.compile(r"(?:^|/)Caltech101\.zip$")
_TEST_SHARE = 0.2


class NCaltech101(EventDataset):
    """Caltech101 seen by an event camera that makes three small moves, 101 classes, 0.3 s each.

    ``Caltech101.zip`` is read in place, or the folder that it was unpacked into. The extent of the
    recordings follows that of the images and differs; all lie on 240x180 pixels, from the upper
    left, and are not scaled. Rows of 240 in the files are markers of time, no events.

    Protocols: there is no official split. ``stratified_8_2`` puts a fifth of each class into test,
    by :func:`snn_datasets.splits.stratified` with seed 0 over the recordings in the order of class
    and number, and depends on neither ``seed`` nor what is on disk beside them.

    Args and shape: those of :class:`snn_datasets.EventDataset`; x ``[T, 2, 180, 240]``.

    Raises: as :class:`snn_datasets.EventDataset`.

    Example:
        >>> NCaltech101.sensor, NCaltech101.protocols
        ((240, 180), ('stratified_8_2',))

    Source: G. Orchard et al., Frontiers in Neuroscience 9:437, 2015.
    """

    info: ClassVar[Info] = Info.load("n_caltech101")
    sensor: ClassVar[tuple[int, int]] = (240, 180)
    protocols: ClassVar[tuple[str, ...]] = ("stratified_8_2",)
    format: ClassVar[str] = "snn-datasets/bin40"

    def find(self) -> Recordings:
        sources = parts_of(self, [_FILE], suffix=".bin", pattern=_MEMBER, inner=_INNER)
        found = [_MEMBER.search(name) for source in sources for name in source.names]
        self.classes = tuple(sorted({match[1] for match in found if match}))
        if len(self.classes) != _CLASSES:
            notice(
                sources[0].path,
                f"it holds recordings of {len(self.classes)} classes, the official one {_CLASSES}",
            )
        place = {name: label for label, name in enumerate(self.classes)}

        def labelled(name: str) -> tuple[tuple[int, int], int] | None:
            match = _MEMBER.search(name)
            return match and ((place[match[1]], int(match[2])), place[match[1]])

        recordings = Recordings.find(
            sources, labelled, expected="members named Caltech101/<class>/image_<number>.bin"
        )
        test = stratified(recordings.targets, _TEST_SHARE, seed=0)
        return recordings.take(test if self.split == "test" else ~test)
