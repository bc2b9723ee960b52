"""N-MNIST from its two official zip files."""

from __future__ import annotations

import io
import re
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from snn_datasets.bin40 import Bin40
from snn_datasets.dataset import Dataset, Root, Seed, Split, Transform
from snn_datasets.errors import FormatError
from snn_datasets.manifest import Info
from snn_datasets.members import ZipMembers
from snn_datasets.place import notice, obtain
from snn_datasets.slicing import By, frames

_SIZE = (34, 34)
_MEMBER = re.compile(r"(?:^|/)([0-9])/([0-9]+)\.bin$")


class NMNIST(Dataset):
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
        T: number of frames.
        by: what the frames share evenly, events ("count") or time ("time").
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

    temporal: ClassVar[bool] = True
    info: ClassVar[Info] = Info.load("n_mnist")

    def __init__(
        self,
        root: Root = None,
        *,
        split: Split = "train",
        protocol: Literal["official"] = "official",
        transform: Transform = None,
        target_transform: Transform = None,
        download: bool = False,
        seed: Seed = 0,
        T: Annotated[int, Gt(0)] = 10,
        by: By = "count",
        shift: Annotated[int, Ge(0)] = 0,
    ) -> None:
        self.T = T
        self.by: By = by
        self.shift = shift
        super().__init__(
            root,
            split=split,
            protocol=protocol,
            transform=transform,
            target_transform=target_transform,
            download=download,
            seed=seed,
        )
        file = "Train.zip" if split == "train" else "Test.zip"
        (path,) = obtain(self.info, [file], [self.folder], download=download)
        self._members = ZipMembers(path, suffix=".bin")
        found = [_MEMBER.search(name) for name in self._members.names]
        keys = sorted(
            (int(match[2]), int(match[1]), place) for place, match in enumerate(found) if match
        )
        if not keys:
            raise FormatError(
                f"{path} holds no recordings; expected are members named "
                f"{split.title()}/<digit>/<number>.bin"
            )
        official = self.info.samples[split]
        if len(keys) != official:
            notice(path, f"it holds {len(keys)} recordings, the official one {official}")
        self._places = np.array([place for _, _, place in keys], np.int64)
        self.targets = np.array([digit for _, digit, _ in keys], np.int64)
        self.classes = tuple(str(digit) for digit in range(10))
        self.sample_shape = (self.T, 2, _SIZE[1], _SIZE[0])

    def events(self, index: int) -> NDArray[Any]:
        """The recording of item ``index`` as it is in the file, not shifted."""
        place = int(self._places[self._position(index)])
        name = f"{self._members.path}, member {self._members.names[place]}"
        return Bin40().read(io.BytesIO(self._members.read(place)), name=name)

    def load(self, index: int) -> torch.Tensor:
        events = self.events(index)
        if self.shift and self.split == "train":
            dx, dy = self.generator(index).integers(-self.shift, self.shift, 2, endpoint=True)
            events = _moved(events, int(dx), int(dy))
        return torch.from_numpy(frames(events, size=_SIZE, T=self.T, by=self.by))


def _moved(events: NDArray[Any], dx: int, dy: int) -> NDArray[Any]:
    moved = events.copy()
    moved["x"] += dx
    moved["y"] += dy
    width, height = _SIZE
    x, y = moved["x"], moved["y"]
    return moved[(x >= 0) & (x < width) & (y >= 0) & (y < height)]
