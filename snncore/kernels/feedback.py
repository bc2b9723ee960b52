"""A captured step with its output fed back through weights, as one differentiable operation."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from snncore.kernels import ops
from snncore.kernels.program import AGAIN, KEEP, Feedback, Program
from snncore.state.unroll import Tensors


def run(
    program: Program,
    x: Tensor,
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    weight: Tensor,
    last: Tensor,
    way: str = KEEP,
) -> Tensors:
    """All time steps of ``y[t] = M(x[t] + W y[t-1])``: y, then the final states of M.

    Args:
        program: M, with one input and one output.
        x: ``[T, *, H]`` in the dtype of the arithmetic, as all that follows.
        states, params: of M.
        weight: W, ``[H, H]``.
        last: y before the first step, ``[*, H]``.
        way: what is left for the backward. The input with what was fed back is left wherever the
            backward reads it, so that computing again saves no memory here.
    """
    tensors = (x.contiguous(), weight, last.contiguous(), *states, *params)
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        return _Run.apply(program, way, len(states), *tensors)
    x, weight, last = tensors[:3]
    outs, finals, *_ = program.forward([x], states, params, (), AGAIN, Feedback(weight, last))
    return (*outs, *finals)


class _Run(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, program: Program, way: str, count: int, *tensors: Tensor) -> Tensors:
        x, weight, last = tensors[:3]
        states, params = tensors[3 : 3 + count], tensors[3 + count :]
        feedback = Feedback(weight, last)
        (y,), finals, _, left = program.forward([x], states, params, (), way, feedback)
        ctx.program, ctx.way = program, way
        ctx.ends = tuple(itertools.accumulate((1, 1, 1, count, len(params))))
        ctx.set_materialize_grads(False)
        # In place of x, which the backward does not read, the output stands for its shape.
        ctx.save_for_backward(y, weight, last, *states, *params, *left)
        return y, *finals

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        if torch.is_grad_enabled():
            ops.refuse(ctx, [])
        y, weight, last = ctx.saved_tensors[:3]
        states, params, left = (
            ctx.saved_tensors[first:end] for first, end in itertools.pairwise((*ctx.ends[2:], None))
        )
        fed = left[-1] if ctx.program.reads_input(ctx.way) else y
        gxs, gbefore, gparams = ctx.program.backward(
            [fed],
            states,
            params,
            left,
            grads[:1],
            grads[1:],
            {},
            (True,),
            ctx.way,
            Feedback(weight, last),
        )
        *gstates, glast = gbefore
        gx, gweight = gxs[0], None
        if gx is None:
            glast = None
        elif ctx.needs_input_grad[4]:
            gweight = _weights(gx, y, last)
        return (None, None, None, gx, gweight, glast, *gstates, *gparams)


def _weights(gx: Tensor, y: Tensor, last: Tensor) -> Tensor:
    """The sum over time and rows of what a step is given times what was fed into it."""
    width = y.shape[-1]
    if not y.shape[0]:
        return y.new_zeros(width, width)
    found = gx[1:].reshape(-1, width).t() @ y[:-1].reshape(-1, width)
    # Most sequences begin from nothing.
    if last.any():
        found.addmm_(gx[0].reshape(-1, width).t(), last.reshape(-1, width))
    return found
