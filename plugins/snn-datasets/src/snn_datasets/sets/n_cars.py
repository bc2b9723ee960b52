"""N-CARS from its two folders or zip files."""

from __future__ import annotations

import re
from typing import ClassVar

from snn_datasets.event_dataset import EventDataset
from snn_datasets.manifest import Info
from snn_datasets.recordings import Recordings
from snn_datasets.sets.unpacked import parts_of

_FILE = "Prophesee_Dataset_n_cars.zip"
_CLASSES = ("background", "cars")


class NCARS(EventDataset):
    """Cars and background before an ATIS in a car, 0.1 s each, cut out to at most 120x100 pixels.

    The recordings lie in ``n-cars_train`` and ``n-cars_test``: folders, zip files, or within the
    published archive. Each has its own extent, counted from its upper left corner. Labels are 0
    for background and 1 for cars.

    Args and shape: those of :class:`snn_datasets.EventDataset`; x ``[T, 2, 100, 120]``.

    Raises: as :class:`snn_datasets.EventDataset`.

    Example:
        >>> NCARS.sensor, NCARS.splits
        ((120, 100), ('train', 'test'))

    Source: A. Sironi et al., HATS: histograms of averaged time surfaces for robust event-based
        object classification, IEEE Conference on Computer Vision and Pattern Recognition, 2018.
    """

    info: ClassVar[Info] = Info.load("n_cars")
    sensor: ClassVar[tuple[int, int]] = (120, 100)
    format: ClassVar[str] = "snn-datasets/dat"

    def find(self) -> Recordings:
        self.classes = _CLASSES
        folder = f"n-cars_{self.split}"
        member = re.compile(rf"(?:^|/){folder}/({'|'.join(_CLASSES)})/obj_([0-9]+)_td\.dat$")

        def labelled(name: str) -> tuple[tuple[int, int], int] | None:
            match = member.search(name)
            return match and ((_CLASSES.index(match[1]), int(match[2])), _CLASSES.index(match[1]))

        return Recordings.find(
            parts_of(
                self,
                [_FILE],
                suffix=".dat",
                pattern=member,
                inner=re.compile(rf"(?:^|/){folder}\.zip$"),
            ),
            labelled,
            expected=f"files named {folder}/<class>/obj_<number>_td.dat",
        )
