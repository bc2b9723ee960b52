"""How many outputs each input of a layer reaches, exactly: padding, stride, dilation, groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


def count(x: Tensor) -> int:
    """Entries that are not zero."""
    return int(torch.count_nonzero(x))


def size(*tensors: Tensor | None) -> int:
    """Bytes."""
    return sum(t.numel() * t.element_size() for t in tensors if t is not None)


@dataclass(frozen=True)
class Window:
    """A sliding window in one dimension, as of a convolution or a pooling.

    Args:
        length: of the input.
        out: of the output.
        kernel, stride, padding, dilation: of the layer.
        transposed: whether inputs step by ``stride`` over outputs (transposed convolution).
    """

    length: int
    out: int
    kernel: int
    stride: int
    padding: int
    dilation: int = 1
    transposed: bool = False

    def uses(self) -> Tensor:
        """``[length]``, int64: how many outputs each input reaches.

        Example:
            >>> Window(5, 5, kernel=3, stride=1, padding=1).uses().tolist()
            [2, 3, 3, 3, 2]
            >>> Window(2, 3, kernel=2, stride=1, padding=0, transposed=True).uses().tolist()
            [2, 2]
        """
        small, large = (self.length, self.out) if self.transposed else (self.out, self.length)
        start = torch.arange(small).unsqueeze(1) * self.stride - self.padding
        reached = start + torch.arange(self.kernel) * self.dilation
        valid = (reached >= 0) & (reached < large)
        if self.transposed:
            return valid.sum(1)
        return torch.bincount(reached[valid], minlength=self.length)


def adaptive(length: int, out: int) -> Tensor:
    """``[length]``: how many windows of an adaptive pooling hold each input."""
    uses = torch.zeros(length, dtype=torch.int64)
    for i in range(out):
        uses[i * length // out : -(-(i + 1) * length // out)] += 1
    return uses


def reached(x: Tensor, uses: Sequence[Tensor]) -> tuple[int, int]:
    """Outputs reached from the non-zero entries of ``x``, and from all of them.

    Args:
        x: ``[*, L1, ..., Ld]``.
        uses: for each of the last d dimensions how many outputs each place reaches.
    """
    field = torch.ones((), dtype=torch.int64)
    for along in uses:
        field = field.unsqueeze(-1) * along
    places = (x != 0).reshape(-1, *x.shape[x.dim() - len(uses) :]).sum(0).cpu()
    lead = x.numel() // max(field.numel(), 1)
    return int((places * field).sum()), lead * int(field.sum())


def products(x: Tensor, y: Tensor) -> tuple[int, int, int, int]:
    """Of a matrix product ``[*, m, k] @ [*, k, n]`` the multiplications that matter.

    Returns: with an ``x`` other than zero, with such a ``y``, with both, and all of them.
    """
    m, k, n = x.shape[-2], x.shape[-1], y.shape[-1]
    columns = (x != 0).sum(-2)
    rows = (y != 0).sum(-1)
    both = int((columns * rows).sum())
    return int(columns.sum()) * n, int(rows.sum()) * m, both, x.numel() * n if k else 0
