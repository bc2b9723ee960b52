"""MNIST and Fashion-MNIST, one pixel or one row per time step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from snn_datasets.dataset import Dataset, Root, Seed, Split, Transform
from snn_datasets.manifest import Info
from snn_datasets.sets.fashion_mnist import FashionMNIST
from snn_datasets.sets.mnist import MNIST

_SIDE = 28
_PIXELS = _SIDE * _SIDE
_SOURCES: dict[str, type[MNIST]] = {"mnist": MNIST, "fashion_mnist": FashionMNIST}

Source: TypeAlias = Literal["mnist", "fashion_mnist"]
Step: TypeAlias = Literal["pixel", "row"]


class SequentialMNIST(Dataset):
    """Images of MNIST or Fashion-MNIST that are shown one pixel, or one row, per time step.

    Pixels come row by row from the upper left corner. ``permuted`` shows all images in one other
    order of their 784 pixels, which the NumPy call
    ``RandomState(permutation_seed).permutation(784)`` gives: step t shows pixel
    ``dataset.permutation[t]``. It does not depend on ``seed``, and is the same in all versions
    of NumPy; works that permuted with other seeds show other orders.

    Args:
        root: folder of the files of ``source``, shared with that dataset.
        split: "train" or "test".
        protocol: those of :class:`snn_datasets.MNIST`.
        transform, target_transform: applied to x and y.
        download: fetch missing files, verified and resumed.
        seed: of the generators of the items.
        source: "mnist" or "fashion_mnist".
        step: what a time step shows, one "pixel" or one "row" of 28.
        permuted: show the pixels in another order, in rows of 28 of that order for ``step="row"``.
        permutation_seed: which order.

    Attributes:
        permutation: int64 ``[784]``, the pixel of each place.

    Shape: x ``[784, 1, 1, 1]`` or ``[28, 1, 1, 28]``, float32 in [0, 1].

    Raises: MissingData and FormatError, as :class:`snn_datasets.MNIST`.

    Example:
        >>> from snncore import info
        >>> info("dataset", "sequential_mnist").parameters[-1].name
        'permutation_seed'

    Source: Q. V. Le, N. Jaitly and G. Hinton, A Simple Way to Initialize Recurrent Networks of
    Rectified Linear Units, arXiv:1504.00941, 2015.
    """

    temporal: ClassVar[bool] = True
    info: ClassVar[Info] = replace(
        MNIST.info,
        name="sequential_mnist",
        title="Sequential MNIST",
        quirks=(
            "The files are those of MNIST or Fashion-MNIST, in the folder of that dataset.",
            "Permuted MNIST has no official permutation; results compare only for one seed of it.",
        ),
    )

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
        source: Source = "mnist",
        step: Step = "pixel",
        permuted: bool = False,
        permutation_seed: Seed = 0,
    ) -> None:
        self.source: Source = source
        self.step: Step = step
        self.permuted = permuted
        self.permutation_seed = permutation_seed
        super().__init__(
            root,
            split=split,
            protocol=protocol,
            transform=transform,
            target_transform=target_transform,
            download=download,
            seed=seed,
        )
        self._images = _SOURCES[source](root, split=split, protocol=protocol, download=download)
        self.targets = self._images.targets
        self.classes = self._images.classes
        order: NDArray[np.int64] = np.arange(_PIXELS)
        if permuted:
            # The legacy generator, whose stream NumPy never changes
            order = np.random.RandomState(permutation_seed).permutation(_PIXELS).astype(np.int64)
        self.permutation = order
        wide = 1 if step == "pixel" else _SIDE
        self.sample_shape = (_PIXELS // wide, 1, 1, wide)

    @property
    def folder(self) -> Path:
        """The folder of ``source``."""
        return self._images.folder

    def load(self, index: int) -> torch.Tensor:
        image = self._images.load(index).flatten()
        return image[torch.from_numpy(self.permutation)].reshape(self.sample_shape)
