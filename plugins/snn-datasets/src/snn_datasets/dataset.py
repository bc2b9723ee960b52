"""What every dataset of the platform is."""

from __future__ import annotations

import inspect
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import numpy as np
import torch
import torch.utils.data
from annotated_types import Ge
from numpy.typing import NDArray

from snn_datasets.manifest import Info
from snn_datasets.place import data_root
from snncore.config import validate
from snncore.registry import label

Root: TypeAlias = str | Path | None
Split: TypeAlias = Literal["train", "test"]
Transform: TypeAlias = Callable[[Any], Any] | None
Seed: TypeAlias = Annotated[int, Ge(0)]


class Dataset(torch.utils.data.Dataset[tuple[Any, Any]], ABC):
    """Map-style base of all datasets: labels without loading, and items that never vary by chance.

    An item is ``(x, y)``: ``x`` a float32 tensor, ``[T, P, H, W]`` if ``temporal`` and else an
    image ``[C, H, W]`` in [0, 1]; ``y`` the class as an int. What is random in an item comes from
    :meth:`generator` alone, a function of (seed, epoch, index): workers, their number and the
    order of access change nothing.

    A subclass repeats the parameters below in its constructor, narrows ``split`` and ``protocol``
    to Literals, stores its own parameters under their names, calls this constructor (which checks
    all of them against the signature), and sets ``targets``. It defines :meth:`load`.

    Args:
        root: folder of the files; ``SNN_DATA/<name>`` or the user's data folder if not given.
        split: "train" or "test".
        protocol: which of the dataset's ways of dividing train from test.
        transform: applied to ``x``; use no random numbers in it except from :meth:`generator`.
        target_transform: applied to ``y``.
        download: fetch missing files.
        seed: of all randomness of the items.

    Attributes:
        targets: int64 array of all labels.
        classes: names of the classes, by label.
        sample_shape: shape of ``x`` before ``transform``.

    Raises: ConfigError for a parameter of wrong type, choice or range.
    """

    temporal: ClassVar[bool]
    info: ClassVar[Info]
    classes: tuple[str, ...]
    sample_shape: tuple[int, ...]
    targets: NDArray[np.int64]

    def __init__(
        self,
        root: Root = None,
        *,
        split: str = "train",
        protocol: str = "official",
        transform: Transform = None,
        target_transform: Transform = None,
        download: bool = False,
        seed: Seed = 0,
    ) -> None:
        self.root = None if root is None else str(root)
        self.split: str = split
        self.protocol: str = protocol
        self.transform = transform
        self.target_transform = target_transform
        self.download = download
        self.seed = seed
        self._check_parameters()
        # Shared, so that workers that outlive an epoch see the next one.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def _check_parameters(self) -> None:
        names = inspect.signature(type(self)).parameters
        own = {name: value for name, value in vars(self).items() if name in names}
        for name, value in validate(type(self), own, f"dataset {label(self)}").items():
            setattr(self, name, value)

    @abstractmethod
    def load(self, index: int) -> torch.Tensor:
        """The ``x`` of item ``index`` (0 <= index < len), before ``transform``."""

    def target(self, index: int) -> Any:
        """The ``y`` of item ``index`` (0 <= index < len), before ``target_transform``."""
        return int(self.targets[index])

    @property
    def folder(self) -> Path:
        """Where the files are looked for first, and downloaded to."""
        if self.root is None:
            return data_root() / self.info.name
        return Path(self.root).expanduser().absolute()

    @property
    def epoch(self) -> int:
        """The epoch that :meth:`set_epoch` was last told; 0 at first."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Tells the dataset, in all its workers, which epoch the randomness of items belongs to.

        Raises: ValueError for a negative epoch.
        """
        if epoch < 0:
            raise ValueError(f"the epoch must be >= 0, got {epoch}")
        self._epoch.fill_(epoch)

    def generator(self, index: int) -> np.random.Generator:
        """A fresh generator for item ``index`` that depends on (seed, epoch, index) alone."""
        return np.random.default_rng([self.seed, self.epoch, self._position(index)])

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        position = self._position(index)
        x: Any = self.load(position)
        y: Any = self.target(position)
        if self.transform is not None:
            x = self.transform(x)
        if self.target_transform is not None:
            y = self.target_transform(y)
        return x, y

    def _position(self, index: int) -> int:
        position = operator.index(index)
        if position < 0:
            position += len(self)
        if not 0 <= position < len(self):
            raise IndexError(
                f"index {index} is out of range: {label(self)}, split {self.split!r}, has "
                f"{len(self)} items"
            )
        return position

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._epoch.share_memory_()

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(split={self.split!r}, protocol={self.protocol!r}): "
            f"{len(self)} items of shape {list(self.sample_shape)}, {len(self.classes)} classes"
        )
