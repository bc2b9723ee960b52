"""Bullying10K from its ten zip files."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from snn_datasets.event_dataset import EventDataset
from snn_datasets.manifest import Info
from snn_datasets.recordings import Recordings
from snn_datasets.sets.unpacked import parts_of

_CLASSES = (
    "handshake",
    "slapping",
    "punching",
    "walking",
    "fingerguess",
    "strangling",
    "greeting",
    "pushing",
    "hairgrabs",
    "kicking",
)
_MEMBER = re.compile(rf"(?:^|/)(({'|'.join(_CLASSES)})/.*\.npy)$")
_TEST_EVERY = 5


class Bullying10K(EventDataset):
    """Ten actions between people, of bullying and friendly ones, before a DAVIS346, 346x260 pixels.

    ``handshake.zip`` to ``kicking.zip`` are read in place, or the folders that they were unpacked
    into. A recording is a pickled list of lists of (t, x, y, p), of which numbers and lists alone
    are read; a file that names anything else is refused.

    Protocols: "official": of all recordings, sorted by their path (``<class>/...``), every fifth,
    from the first on, is test. Readers that list files in the order of the disk split otherwise
    on each machine.

    Args and shape: those of :class:`snn_datasets.EventDataset`; x ``[T, 2, 260, 346]``.

    Raises: as :class:`snn_datasets.EventDataset`.

    Example:
        >>> Bullying10K.sensor, len(Bullying10K.info.archives)
        ((346, 260), 10)

    Source: Y. Dong et al., Bullying10K: a large-scale neuromorphic dataset towards
        privacy-preserving bullying recognition, arXiv 2306.11546, 2023.
    """

    info: ClassVar[Info] = Info.load("bullying10k")
    sensor: ClassVar[tuple[int, int]] = (346, 260)
    format: ClassVar[str] = "snn-datasets/npy"

    def find(self) -> Recordings:
        self.classes = _CLASSES
        found = Recordings.find(
            parts_of(self, [f"{c}.zip" for c in _CLASSES], suffix=".npy", pattern=_MEMBER),
            _labelled,
            expected="files named <class>/<path>.npy",
        )
        test = np.arange(len(found)) % _TEST_EVERY == 0
        return found.take(test if self.split == "test" else ~test)


def _labelled(name: str) -> tuple[str, int] | None:
    match = _MEMBER.search(name)
    return match and (match[1], _CLASSES.index(match[2]))
