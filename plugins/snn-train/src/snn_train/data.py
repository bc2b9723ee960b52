"""Items of a dataset, in an order that depends on seed and epoch alone."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

Batch: TypeAlias = tuple[Tensor, Tensor, Tensor]
"""Items ``x [N, *]``, labels ``y [N]`` (int64), and their indices ``[N]`` in the dataset."""


class Items(Dataset[Batch]):
    """Some items of a dataset, fetched as whole batches.

    Args:
        source: the dataset; ``__getitems__`` is used if it has one.
        indices: the items that belong to this part.
        preload: read each item once and keep it.
    """

    def __init__(self, source: Any, indices: NDArray[np.int64], *, preload: bool) -> None:
        self.source = source
        self.indices = indices
        self._kept: tuple[Tensor, Tensor] | None = None
        if preload:
            # Indexed as the source is, so that parts of one dataset need no second numbering.
            kept, y = self._fetch(indices.tolist())
            x = torch.zeros(len(source), *kept.shape[1:], dtype=kept.dtype)
            x[torch.from_numpy(indices)] = kept
            labels = torch.zeros(len(source), dtype=torch.int64)
            labels[torch.from_numpy(indices)] = y
            self._kept = x, labels

    def set_epoch(self, epoch: int) -> None:
        """Tells the dataset which epoch the randomness of its items belongs to."""
        if hasattr(self.source, "set_epoch"):
            self.source.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> Batch:
        where = torch.tensor(indices, dtype=torch.int64)
        if self._kept is not None:
            x, y = self._kept
            return x[where], y[where], where
        return *self._fetch(indices), where

    def _fetch(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        if hasattr(self.source, "__getitems__"):
            pairs = self.source.__getitems__(list(indices))
        else:
            pairs = [self.source[i] for i in indices]
        x = torch.stack([torch.as_tensor(x) for x, _ in pairs])
        return x, torch.tensor([int(y) for _, y in pairs], dtype=torch.int64)


class Plan:
    """Which items each process takes at each step.

    A step takes ``size * world`` items in all, one contiguous share each; the last step of an
    epoch divides what is left as evenly as it can, and drops it when there is not one for each.

    Args:
        indices: the items.
        size: items of a batch, in each process.
        seed: of the order; None keeps the order of ``indices``.
        rank: which process this is.
        world: number of processes.
    """

    def __init__(
        self,
        indices: NDArray[np.int64],
        size: int,
        *,
        seed: int | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.indices = indices
        self.size = size
        self.seed = seed
        self.rank = rank
        self.world = world

    def __len__(self) -> int:
        whole, left = divmod(len(self.indices), self.size * self.world)
        return whole + (left >= self.world)

    def total(self, step: int) -> int:
        """Items of one step over all processes."""
        return min(self.size * self.world, len(self.indices) - step * self.size * self.world)

    def shares(self, epoch: int, start: int = 0) -> list[list[int]]:
        """The batches of this process from step ``start`` of an epoch on."""
        order = self.indices
        if self.seed is not None:
            # The tail keeps this order apart from the draws of (seed, epoch, index) in datasets.
            order = np.random.default_rng([self.seed, epoch, 0, 1]).permutation(order)
        span = self.size * self.world
        steps = (order[k * span : (k + 1) * span] for k in range(start, len(self)))
        return [np.array_split(step, self.world)[self.rank].tolist() for step in steps]


def load(items: Items, batches: list[list[int]], *, workers: int) -> Iterator[Batch]:
    """Fetches batches in order, by worker processes if there are any."""
    # Its own generator: a loader would otherwise take a number from torch's at every start.
    # What is fetched is a batch already, which no type of a loader foresees.
    as_fetched: Any = _as_fetched
    return iter(
        DataLoader(
            items,
            batch_sampler=batches,
            collate_fn=as_fetched,
            num_workers=workers,
            worker_init_fn=_ignore_interrupts,
            generator=torch.Generator(),
        )
    )


def _ignore_interrupts(worker: int) -> None:
    # A terminal sends Ctrl-C to workers too; the run still needs their batch to finish its step.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _as_fetched(batch: Batch) -> Batch:
    return batch


def hold_out(count: int, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices to train with and to validate with, by a seeded draw of ``share`` of ``count``."""
    order = np.random.default_rng([seed, 0, 0, 3]).permutation(count)
    held = math.ceil(share * count) if share else 0
    return np.sort(order[held:]), np.sort(order[:held])
