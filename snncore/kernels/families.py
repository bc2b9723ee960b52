"""Families of shapes that share one captured step, which works on every neuron by itself."""

from __future__ import annotations

from typing import NamedTuple

import torch

from snncore.kernels.content import Content

# Code that reads one of these may do something else for another shape.
_ASKING = frozenset(
    {
        *("shape", "size", "numel", "nelement", "ndim", "dim", "ndimension", "len", "stride"),
        *("itemsize", "nbytes", "is_contiguous", "storage_offset", "data_ptr", "T", "mT", "H"),
    }
)


class Family(NamedTuple):
    """Shapes of one time step that differ in what a step does not see.

    Args:
        name: part of the key under which the step is stored.
        other: a further member; what is captured for it tells whether the step sees a difference.
    """

    name: str
    other: torch.Size


def families(content: Content, shape: torch.Size) -> list[Family]:
    """Those of a shape that a module's step may treat alike, the widest first.

    Example:
        >>> from snncore.neuron import Neuron
        >>> class Sum(Neuron):
        ...     def charge(self, x, v):
        ...         return v + x
        >>> [family.name for family in families(Content(Sum()), torch.Size((4, 3)))]
        ['any', 'any batch of (3,)']
    """
    if not shape.numel() or content.mentions(_ASKING):
        return []
    found: list[Family] = []
    if not content.holds_tensors:
        found.append(Family("any", torch.Size([size + 1 for size in shape])))
    # A batch of one is what a parameter broadcasts to, in place of being summed over.
    if len(shape) > 1 and shape[0] > 1:
        found.append(
            Family(f"any batch of {tuple(shape[1:])}", torch.Size((shape[0] + 1, *shape[1:])))
        )
    return found
