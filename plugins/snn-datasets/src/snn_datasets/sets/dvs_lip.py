"""DVS-Lip from its zip file."""

from __future__ import annotations

import re
from typing import ClassVar

from snn_datasets.event_dataset import EventDataset
from snn_datasets.manifest import Info
from snn_datasets.place import notice
from snn_datasets.recordings import Recordings
from snn_datasets.sets.unpacked import parts_of

_FILE = "DVS-Lip.zip"
_CLASSES = 100
_MEMBER = re.compile(r"(?:^|/)(train|test)/([^/]+)/([0-9]+)\.npy$")


class DVSLip(EventDataset):
    """100 words spoken before a DAVIS346, cut out to the lips, 128x128 pixels.

    ``DVS-Lip.zip`` is read in place, or the folder that it was unpacked into. The words are the
    names of the folders; labels are by their alphabet, over both splits.

    Args and shape: those of :class:`snn_datasets.EventDataset`; x ``[T, 2, 128, 128]``.

    Raises: as :class:`snn_datasets.EventDataset`.

    Example:
        >>> DVSLip.sensor, DVSLip.splits
        ((128, 128), ('train', 'test'))

    Source: G. Tan et al., Multi-grained spatio-temporal features perceived network for event-based
        lip-reading, IEEE Conference on Computer Vision and Pattern Recognition, 2022.
    """

    info: ClassVar[Info] = Info.load("dvs_lip")
    sensor: ClassVar[tuple[int, int]] = (128, 128)
    format: ClassVar[str] = "snn-datasets/npy"

    def find(self) -> Recordings:
        sources = parts_of(self, [_FILE], suffix=".npy", pattern=_MEMBER)
        found = [_MEMBER.search(name) for source in sources for name in source.names]
        self.classes = tuple(sorted({match[2] for match in found if match}))
        if len(self.classes) != _CLASSES:
            notice(
                sources[0].path,
                f"it holds recordings of {len(self.classes)} words, the official one {_CLASSES}",
            )
        place = {name: label for label, name in enumerate(self.classes)}

        def labelled(name: str) -> tuple[tuple[int, int], int] | None:
            match = _MEMBER.search(name)
            if match is None or match[1] != self.split:
                return None
            return (place[match[2]], int(match[3])), place[match[2]]

        return Recordings.find(
            sources, labelled, expected=f"members named {self.split}/<word>/<number>.npy"
        )
