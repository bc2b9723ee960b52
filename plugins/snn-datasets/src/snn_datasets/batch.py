"""Batches with time first, of sequences that need not be of one length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """Sequences of a batch, padded with zeros behind their ends.

    A loader with ``pin_memory=True`` pins all of it.

    Args:
        x: ``[T, N, *]``, T the greatest length.
        y: labels ``[N]``, int64; for labels that are no numbers the tuple of them.
        lengths: ``[N]``, int64.
        mask: ``[T, N]``, true where ``x`` is no padding.
    """

    x: Tensor
    y: Any
    lengths: Tensor
    mask: Tensor


def collate(items: Sequence[tuple[Tensor, Any]]) -> Batch:
    """Makes a batch, time first, of items ``(x [T_i, *], y)``: ``collate_fn`` of a loader.

    Always a :class:`Batch`, also where all lengths are the same.

    Raises: ValueError for no items, and for items that differ in more than their length.

    Example:
        >>> batch = collate([(torch.ones(2, 3), 7), (torch.ones(4, 3), 8)])
        >>> tuple(batch.x.shape), batch.lengths.tolist(), batch.mask[:, 0].tolist()
        ((4, 2, 3), [2, 4], [True, True, False, False])
    """
    if not items:
        raise ValueError("collate: a batch needs at least one item")
    first = items[0][0]
    for i, (x, _) in enumerate(items):
        if x.dim() < 1 or x.shape[1:] != first.shape[1:] or x.dtype != first.dtype:
            raise ValueError(
                f"collate: items of a batch may differ in their length T alone; item 0 is "
                f"{_described(first)}, item {i} is {_described(x)}"
            )
    lengths = torch.tensor([len(x) for x, _ in items])
    longest = int(lengths.max())
    batch = first.new_zeros(longest, len(items), *first.shape[1:])
    for i, (x, _) in enumerate(items):
        batch[: len(x), i] = x
    labels = tuple(y for _, y in items)
    numbers = all(isinstance(y, int) or (isinstance(y, Tensor) and not y.dim()) for y in labels)
    return Batch(
        batch,
        torch.tensor([int(y) for y in labels]) if numbers else labels,
        lengths,
        torch.arange(longest)[:, None] < lengths,
    )


def _described(x: Tensor) -> str:
    return f"{str(x.dtype).removeprefix('torch.')} {list(x.shape)}"
