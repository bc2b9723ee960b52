"""The 1,797 digits of scikit-learn."""

from __future__ import annotations

from importlib import resources
from typing import ClassVar, Literal

import numpy as np
import torch
from sklearn.datasets import load_digits

from snn_datasets.dataset import Dataset, Root, Seed, Split, Transform
from snn_datasets.manifest import Info

_LEVELS = 16


class Digits(Dataset):
    """1,797 real handwritten digits of 13 writers, 8x8 pixels of 17 levels; no download.

    Protocols:
        - ``stratified``: a fixed 80/20 split with the same share of each class. The 359 indices
          of the test items are a file of this package. Rule: the items of a class, sorted by the
          SHA-256 of the text ``digits stratified 0 <index>``; the first fifth, rounded, is test.
        - ``last_writers``: the last 359 items are the test set. They come from other writers than
          the first 1,438, which makes it harder.

    Args:
        root, download: without effect, the data come with scikit-learn.
        split: "train" or "test".
        protocol: see above; neither depends on ``seed``.
        transform, target_transform: applied to x and y.
        seed: of the generators of the items.

    Shape: x ``[1, 8, 8]``, float32 in [0, 1].

    Example:
        >>> x, y = Digits(split="test")[0]
        >>> tuple(x.shape), len(Digits(split="test"))
        ((1, 8, 8), 359)

    Source: E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998.
    """

    temporal: ClassVar[bool] = False
    info: ClassVar[Info] = Info.load("digits")

    def __init__(
        self,
        root: Root = None,
        *,
        split: Split = "train",
        protocol: Literal["stratified", "last_writers"] = "stratified",
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
        pixels, labels = load_digits(return_X_y=True)
        count = self.info.samples["test"]
        test = np.zeros(len(labels), np.bool_)
        test[_stratified_test() if protocol == "stratified" else slice(-count, None)] = True
        chosen = test if split == "test" else ~test
        self.indices = np.flatnonzero(chosen)
        self.targets = labels[chosen].astype(np.int64)
        self.classes = tuple(str(digit) for digit in range(10))
        self.sample_shape = (1, 8, 8)
        self._images = torch.from_numpy(
            (pixels[chosen] / _LEVELS).astype(np.float32).reshape(-1, *self.sample_shape)
        )

    def load(self, index: int) -> torch.Tensor:
        return self._images[index].clone()


def _stratified_test() -> list[int]:
    text = resources.files("snn_datasets").joinpath("digits_stratified_test.txt").read_text("ascii")
    return [int(line) for line in text.split()]
