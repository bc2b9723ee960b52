"""MNIST from its four idx.gz files."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from snn_datasets.dataset import Dataset, Root, Seed, Split, Transform
from snn_datasets.errors import FormatError
from snn_datasets.manifest import Info
from snn_datasets.place import obtain
from snn_datasets.sets.idx import idx_shape, read_idx

_SMALL_TOTAL = 10_000
_SMALL_TRAIN = 8_000


class MNIST(Dataset):
    """Handwritten digits, 28x28 pixels of 256 levels.

    Protocols:
        - ``official``: 60,000 to train, 10,000 to test.
        - ``t10k_8k_2k``: of the official test file, the first 8,000 to train, the last 2,000 to
          test; needs the two ``t10k`` files alone.

    Args:
        root: folder that holds the idx.gz files itself or in ``MNIST/raw`` (as torchvision puts
            them); ``SNN_DATA/mnist`` or the user's data folder if not given.
        split: "train" or "test".
        protocol: see above.
        transform, target_transform: applied to x and y.
        download: fetch missing files, verified and resumed.
        seed: of the generators of the items.

    Shape: x ``[1, 28, 28]``, float32 in [0, 1].

    Raises:
        MissingData: files are missing and ``download`` is false.
        FormatError: a file is damaged.

    Example:
        >>> from snncore import info
        >>> [parameter.name for parameter in info("dataset", "mnist").parameters][:3]
        ['root', 'split', 'protocol']

    Source: Y. LeCun et al., Proceedings of the IEEE 86(11), 1998.
    """

    temporal: ClassVar[bool] = False
    info: ClassVar[Info] = Info.load("mnist")
    names: ClassVar[tuple[str, ...]] = tuple(str(digit) for digit in range(10))
    """Names of the classes, by label."""

    def __init__(
        self,
        root: Root = None,
        *,
        split: Split = "train",
        protocol: Literal["official", "t10k_8k_2k"] = "official",
        transform: Transform = None,
        target_transform: Transform = None,
        download: bool = False,
        seed: Seed = 0,
    ) -> None:
        super().__init__(
            root,
            split=split,
            protocol=protocol,
            transform=transform,
            target_transform=target_transform,
            download=download,
            seed=seed,
        )
        stem = "train" if (protocol, split) == ("official", "train") else "t10k"
        files = [f"{stem}-images-idx3-ubyte.gz", f"{stem}-labels-idx1-ubyte.gz"]
        folders = [self.folder, self.folder / type(self).__name__ / "raw"]
        self._image_file, label_file = obtain(self.info, files, folders, download=download)
        labels = read_idx(label_file)
        shape = idx_shape(self._image_file)
        if shape != (len(labels), 28, 28):
            raise FormatError(
                f"{self._image_file} holds an array {list(shape)}, the labels of {label_file} "
                f"call for [{len(labels)}, 28, 28]: the files do not belong together"
            )
        self._part = slice(None)
        if protocol == "t10k_8k_2k":
            if len(labels) != _SMALL_TOTAL:
                raise FormatError(
                    f"protocol t10k_8k_2k of {self.info.title} needs {_SMALL_TOTAL} items, "
                    f"{label_file} holds {len(labels)}"
                )
            self._part = slice(_SMALL_TRAIN) if split == "train" else slice(_SMALL_TRAIN, None)
        self.targets = labels[self._part].astype(np.int64)
        self.classes = self.names
        self.sample_shape = (1, 28, 28)
        self._images: NDArray[np.uint8] | None = None

    def load(self, index: int) -> torch.Tensor:
        if self._images is None:
            self._images = read_idx(self._image_file)[self._part]
        return torch.from_numpy(
            self._images[index : index + 1].astype(np.float32) / np.float32(255)
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_images": None}
