"""Rows times weights, where the rows may be spikes: what is silent costs nothing."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from snncore.kernels import cpp

# Weights of more numbers leave the cache between rows; torch's own product is blocked for it, and
# the faster one for rows that are not sparse.
_LARGEST, _ROWS = 1 << 22, 64


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """As :func:`torch.nn.functional.linear`, to rounding, and as differentiable.

    On the CPU and in float32 or float64 it skips what is 0, if in some rows that are looked at less
    than a third is not; else, and for large weights, it is torch's own. The caller has a working
    compiler.
    """
    given = (x, weight) if bias is None else (x, weight, bias)
    dtypes = {tensor.dtype for tensor in given}
    if (
        dtypes not in ({torch.float32}, {torch.float64})
        or any(tensor.device.type != "cpu" for tensor in given)
        or torch.is_autocast_enabled("cpu")
        or not 0 < weight.numel() <= _LARGEST
        or not _sparse(x)
    ):
        return F.linear(x, weight, bias)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given):
        return _Linear.apply(x, weight, bias)
    return cpp.multiply(x.contiguous(), weight, bias)


def _sparse(x: Tensor) -> bool:
    rows = x.detach().reshape(-1, x.shape[-1])
    some = rows[:: max(1, len(rows) // _ROWS)]
    return 3 * int(some.count_nonzero()) < some.numel()


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return cpp.multiply(x.contiguous(), weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        x, weight = ctx.saved_tensors
        wants = ctx.needs_input_grad
        rows = grad.reshape(-1, weight.shape[0])
        return (
            grad @ weight if wants[0] else None,
            rows.t() @ x.reshape(-1, weight.shape[1]) if wants[1] else None,
            rows.sum(0) if wants[2] else None,
        )
