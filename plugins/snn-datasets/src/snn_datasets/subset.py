"""Some items of a dataset, as a dataset."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.utils.data
from numpy.typing import ArrayLike, NDArray

from snn_datasets.dataset import Dataset


class Subset(torch.utils.data.Dataset[tuple[Any, Any]]):
    """Some items of a dataset, in the order asked for; labels need no loading here either.

    What is random in an item depends on its place in the whole dataset, so that it is the same
    in every part.

    Args:
        dataset: the whole.
        items: positions, or a mask such as those of :mod:`snn_datasets.splits`.
        name: of this way of dividing the dataset; results are told apart by it. It becomes
            ``protocol``.

    Attributes:
        indices: int64 positions in ``dataset``.
        targets, classes, sample_shape, temporal, info, split: as of the dataset.

    Raises:
        IndexError: a position is out of range.
        ValueError: a mask of another length, or positions that are no integers or come twice.

    Example:
        >>> from snn_datasets import Digits
        >>> from snn_datasets.splits import per_class_first
        >>> whole = Digits()
        >>> few = Subset(whole, per_class_first(whole.targets, 5), name="first_5")
        >>> len(few), few.protocol
        (50, 'first_5')
    """

    def __init__(self, dataset: Dataset, items: ArrayLike, *, name: str | None = None) -> None:
        self.dataset = dataset
        self.indices = _positions(items, len(dataset))
        self.targets = dataset.targets[self.indices]
        self.classes = dataset.classes
        self.sample_shape = dataset.sample_shape
        self.temporal = dataset.temporal
        self.info = dataset.info
        self.split = dataset.split
        self.protocol = dataset.protocol if name is None else name

    def set_epoch(self, epoch: int) -> None:
        """As of the whole dataset, which it is told to."""
        self.dataset.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.dataset[self.indices.item(self._within(index))]

    def events(self, index: int) -> NDArray[Any]:
        """The recording of an item, where the whole is a dataset of events."""
        whole: Any = self.dataset
        return whole.events(self.indices.item(self._within(index)))

    def _within(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range: {self}")
        return index

    def __repr__(self) -> str:
        return f"{len(self)} items (protocol={self.protocol!r}) of {self.dataset!r}"


def divide(dataset: Dataset, test: ArrayLike, *, name: str) -> tuple[Subset, Subset]:
    """Train and test parts of a dataset.

    Args:
        dataset: of one split, or of all recordings.
        test: mask of the items that are test, see :mod:`snn_datasets.splits`, or positions.
        name: of this way of dividing, kept as ``protocol`` of both.

    Returns: the items that are not test, and those that are.

    Raises: as :class:`Subset`.

    Example:
        >>> from snn_datasets import Digits
        >>> from snn_datasets.splits import stratified
        >>> whole = Digits()
        >>> train, test = divide(whole, stratified(whole.targets, 0.1, seed=3), name="tenth_3")
        >>> len(train) + len(test) == len(whole)
        True
    """
    chosen = np.zeros(len(dataset), np.bool_)
    chosen[_positions(test, len(dataset))] = True
    parts = Subset(dataset, ~chosen, name=name), Subset(dataset, chosen, name=name)
    parts[0].split, parts[1].split = "train", "test"
    return parts


def _positions(items: ArrayLike, count: int) -> NDArray[np.int64]:
    given = np.asarray(items)
    if given.dtype == np.bool_:
        if given.shape != (count,):
            raise ValueError(f"a mask of shape {given.shape} for a dataset of {count} items")
        return np.flatnonzero(given)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise ValueError(
            f"items must be a mask or a list of positions, got {given.dtype} of shape {given.shape}"
        )
    places = given.astype(np.int64)
    wrong = places[(places < -count) | (places >= count)]
    if wrong.size:
        raise IndexError(f"position {wrong[0]} is out of range: the dataset has {count} items")
    places %= max(count, 1)
    if np.unique(places).size != places.size:
        raise ValueError("items must be positions that differ; some come twice")
    return places
