"""The straight-through estimator: one value forward, another one's gradient backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _StraightThrough(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, through: Tensor) -> Tensor:
        # The memory of value, but no view of it: in-place edits stay legal.
        return value.detach()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return None, grads[0]


def straight_through(value: Tensor, through: Tensor) -> Tensor:
    """``value`` to the last bit, with the gradient of ``through``; that of ``value`` is cut.

    dL/d through = dL/d output. Unlike ``through + (value - through).detach()`` nothing is rounded,
    infinities and the sign of zero stay, and the forward of ``through`` costs nothing in a kernel.

    Args:
        value: what the forward gives.
        through: of the same shape and dtype; what the backward differentiates.
    Example:
        >>> x = torch.tensor([0.4, -2.5], requires_grad=True)
        >>> y = straight_through(x.round(), x)
        >>> (3 * y).sum().backward()
        >>> y.tolist(), x.grad.tolist()
        ([0.0, -2.0], [3.0, 3.0])

    Source: Bengio et al., Estimating or propagating gradients through stochastic neurons for
        conditional computation, arXiv:1308.3432 (2013).
    """
    tracked = torch.is_grad_enabled() and through.requires_grad
    if torch.compiler.is_compiling() and not tracked:
        # Dynamo hands a context to the forward of a Function that needs no gradient.
        return value
    return _StraightThrough.apply(value, through)  # pyright: ignore[reportReturnType]


def rounded(x: Tensor) -> Tensor:
    """round(x), halves to even, with gradient 1."""
    return straight_through(x.round(), x)
