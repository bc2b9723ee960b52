"""N-MNIST from its two official zip files."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from snn_datasets.augment.augmentation import moved
from snn_datasets.dataset import Root, Seed, Transform
from snn_datasets.event_dataset import Augment, EventDataset, Integrate
from snn_datasets.integration.slices import By
from snn_datasets.manifest import Info
from snn_datasets.place import notice
from snn_datasets.recordings import Recordings

_MEMBER = re.compile(r"(?:^|/)([0-9])/([0-9]+)\.bin$")


class NMNIST(EventDataset):
    """MNIST digits seen by an event camera that makes three small moves, about 0.3 s, 34x34 pixels.

    ``Train.zip`` and ``Test.zip`` are read in place. Items are in the order of MNIST (by the
    number in the file name); labels come from the folder names, so nothing is decoded before an
    item is asked for.

    A zip file with another number of recordings than the official 60,000 or 10,000 is used with
    one notice per process. The checksum is compared after a download alone: hashing 1 GB at each
    start would take seconds. Each recording is checked by its CRC whenever it is read.

    Args:
        root: folder that holds the zip files; ``SNN_DATA/n_mnist`` or the user's data folder if
            not given.
        split: "train" or "test".
        protocol: "official", the split of MNIST.
        transform, target_transform: applied to x and y.
        download: fetch missing files, verified and resumed.
        seed: of the random shift.
        T, by, duration_us, integrate, augment: as for all datasets of events
            (:class:`snn_datasets.EventDataset`).
        shift: in the train split, recordings are moved by a random whole number of pixels from
            -shift to shift in x and in y; events that leave the sensor are dropped.

    Shape: x ``[T, 2, 34, 34]``, float32 event counts.

    Raises:
        MissingData: a file is missing and ``download`` is false.
        FormatError: a file or a recording is damaged.

    Example:
        >>> from snncore import info
        >>> info("dataset", "n_mnist").parameters[-1].name
        'shift'

    Source: G. Orchard et al., Frontiers in Neuroscience 9:437, 2015.
    """

    info: ClassVar[Info] = Info.load("n_mnist")
    sensor: ClassVar[tuple[int, int]] = (34, 34)
    format: ClassVar[str] = "snn-datasets/bin40"
    after_decoding: ClassVar[tuple[str, ...]] = ("shift",)

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
        shift: Annotated[int, Ge(0)] = 0,
    ) -> None:
        self.shift = shift
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

    def find(self) -> Recordings:
        self.classes = tuple(str(digit) for digit in range(10))
        title = self.split.title()
        members = self.open(f"{title}.zip", suffix=".bin")
        found = Recordings.find(
            [members], _labelled, expected=f"members named {title}/<digit>/<number>.bin"
        )
        official = self.info.samples[self.split]
        if len(found) != official:
            notice(members.path, f"it holds {len(found)} recordings, the official one {official}")
        return found

    def varies(self) -> bool:
        return self.augment is not None or (self.shift > 0 and self.split == "train")

    def vary(self, events: NDArray[Any], index: int) -> NDArray[Any]:
        if self.shift and self.split == "train":
            dx, dy = self.generator(index).integers(-self.shift, self.shift, 2, endpoint=True)
            x, y = (events[name].astype(np.int64) for name in "xy")
            events = moved(events, x + dx, y + dy, self.sensor)
        return super().vary(events, index)


def _labelled(name: str) -> tuple[tuple[int, int], int] | None:
    """By the number of the image in MNIST, which the file name holds."""
    match = _MEMBER.search(name)
    return None if match is None else ((int(match[2]), int(match[1])), int(match[1]))
