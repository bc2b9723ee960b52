"""The order of a step's neurons in memory, which a kernel keeps: it never looks at neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from snncore.kernels.emit.slots import BEGINS, PER_NEURON, Slot

Laid: TypeAlias = tuple[Tensor | None, int, int]
"""An array as a kernel takes it, with its two numbers: the distance of time steps and 0 for a
sequence; channels and neurons per channel for a parameter; how many values it has, which may be one
for all neurons, and 0 for what carried values begin from; the distance and that number for marks;
the distances of rows and columns for weights; zeros for the rest."""


@dataclass(frozen=True)
class Layout:
    """How one time step lies in memory.

    Args:
        shape: of one time step.
        order: its dimensions from the outermost in memory; None where that is their own order.
    """

    shape: torch.Size
    order: tuple[int, ...] | None = None

    @classmethod
    def of(cls, x: Tensor) -> Layout:
        """That of a sequence ``[T, *shape]``, if it is dense; else the usual one.

        Example:
            >>> Layout.of(torch.zeros(4, 2, 3, 5, 5)).order
            >>> Layout.of(torch.zeros(4, 2, 5, 5, 3).permute(0, 1, 4, 2, 3)).order
            (0, 2, 3, 1)
        """
        if x.is_contiguous():
            return cls(x.shape[1:])
        shape, strides = x.shape[1:], x.stride()[1:]
        order = tuple(sorted(range(len(shape)), key=lambda i: -strides[i]))
        if order == tuple(range(len(shape))):
            return cls(shape)
        expected = 1
        for i in reversed(order):
            if shape[i] != 1 and strides[i] != expected:
                return cls(shape)
            expected *= shape[i]
        return cls(shape, order)

    def empty(self, make: Callable[[Sequence[int]], Tensor], steps: int | None) -> Tensor:
        """A tensor ``[steps, *shape]``, or ``shape`` for None, that lies so."""
        lead = () if steps is None else (steps,)
        if self.order is None:
            return make((*lead, *self.shape))
        made = make((*lead, *(self.shape[i] for i in self.order)))
        back = sorted(range(len(self.order)), key=self.order.__getitem__)
        return made.permute(*range(len(lead)), *(i + len(lead) for i in back))

    def lay(self, slot: Slot, array: Tensor | None) -> Laid:
        """An array as a kernel takes it, copied where it lies otherwise."""
        if array is None:
            return None, 0, 0
        role = slot.role
        if role == "param":
            return self.channels(array)
        if role == "weight":
            return array, array.stride(0), array.stride(1)
        lead = 0 if role in PER_NEURON else 1
        if (role in BEGINS or role == "mark") and not any(array.stride()[lead:]):
            return (array, array.stride(0), 1) if lead else (array, 1, 0)
        if self.order is not None:
            array = array.permute(*range(lead), *(i + lead for i in self.order))
        if not array.is_contiguous() and not (lead and _rows_contiguous(array)):
            array = array.contiguous()
        if not lead:
            return array, array.numel() if role in BEGINS else 0, 0
        return array, array.stride(0), self.shape.numel() if role == "mark" else 0

    def channels(self, value: Tensor) -> Laid:
        """A parameter as channels and neurons per channel, repeated over what lies before."""
        shape = self.shape
        value = value.reshape((1,) * (len(shape) - value.dim()) + tuple(value.shape))
        if self.order is not None:
            value = value.permute(self.order)
            shape = torch.Size([shape[i] for i in self.order])
        wide = [i for i, size in enumerate(value.shape) if size != 1]
        if not wide:
            return value.contiguous(), 1, 1
        first, last = wide[0], wide[-1]
        if any(value.shape[i] != shape[i] for i in range(first, last + 1)):
            full = value.expand(shape).contiguous()
            return full, full.numel(), 1
        return value.contiguous(), value.numel(), shape[last + 1 :].numel()


def _rows_contiguous(array: Tensor) -> bool:
    return array.shape[0] == 0 or array[0].is_contiguous()
