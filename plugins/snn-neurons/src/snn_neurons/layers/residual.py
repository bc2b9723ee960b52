"""Residual connections of spikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

from snncore.layers import Linear
from snncore.registry import label

Connection: TypeAlias = Literal["add", "and", "iand"]


def _iand(a: Tensor, s: Tensor) -> Tensor:
    return (1.0 - a) * s


_FUNCTIONS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {"add": torch.add, "and": torch.mul, "iand": _iand}
)


def _example(function: Connection = "add", *, wide: bool = False) -> nn.Module:
    if not wide:
        return Residual(Linear(6, 6), function=function)
    return Residual(Linear(6, 3), function=function, shortcut=Linear(6, 3))


class Residual(nn.Module):
    """Joins the output A of a block and its input S, element by element.

    Y = A + S  (add),  A S  (and)  or  (1 - A) S  (iand)

    A block that ends in neurons is the identity where A is 0 (add, iand) or 1 (and). It runs in
    the step mode of what it holds.

    Args:
        modules: the block, applied in order; its output has the input's shape.
        function: "add", "and" or "iand".
        shortcut: what S passes where the block changes the shape; None for nothing.
    Shape: as its modules, ``[N, *]`` or ``[T, N, *]``.
    Raises: ValueError for another function, or where block and shortcut give different shapes.
    Example:
        >>> net = Residual(nn.Identity(), function="iand")
        >>> net(torch.tensor([[0.0, 1.0]])).tolist()
        [[0.0, 0.0]]

    Source: Fang et al., Deep residual learning in spiking neural networks, NeurIPS 2021, Table 1.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "example": _example,
        "variants": (
            {"function": "add"},
            {"function": "and"},
            {"function": "iand"},
            {"function": "add", "wide": True},
        ),
        "configurable": False,
        "reason": "its modules are given one by one, not as plain values",
    }

    def __init__(
        self,
        *modules: nn.Module,
        function: Connection = "add",
        shortcut: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if function not in _FUNCTIONS:
            raise ValueError(f"Residual: function must be 'add', 'and' or 'iand', got {function!r}")
        self.block = nn.Sequential(*modules)
        self.shortcut = nn.Identity() if shortcut is None else shortcut
        self.function: Connection = function

    def forward(self, x: Tensor) -> Tensor:
        """``function(block(x), shortcut(x))``."""
        a, s = self.block(x), self.shortcut(x)
        if a.shape != s.shape:
            raise ValueError(
                f"{label(self)}: the block gives {list(a.shape)}, the shortcut {list(s.shape)}; "
                "pass shortcut=..., for instance a convolution with the block's stride and a norm"
            )
        return _FUNCTIONS[self.function](a, s)

    def extra_repr(self) -> str:
        """The function."""
        return f"function={self.function!r}"
