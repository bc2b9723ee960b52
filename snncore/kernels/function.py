"""Kernels under plain autograd: the same as the operations of torch, at a fraction of the cost.

An operation of ``torch.library`` costs several times the Python of a bare Function per call,
which only a compiler needs to pay for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from snncore.kernels import ops
from snncore.kernels.program import AGAIN, Program
from snncore.state.unroll import Tensors


def unroll(
    handle: int,
    xs: Sequence[Tensor],
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    record: Sequence[int],
    outputs: int,
    way: str,
) -> tuple[Tensors, Tensors, Tensors]:
    """As :func:`snncore.kernels.ops.unroll`."""
    found = run(ops.program_of(handle, xs[0]), xs, states, params, record, way)
    return ops.divide(found, outputs, len(states), len(record))


def run(
    program: Program,
    xs: Sequence[Tensor],
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    record: Sequence[int],
    way: str,
) -> Sequence[Tensor]:
    """All time steps of a captured step: outputs, final states, recorded sequences, and more."""
    if torch.is_grad_enabled() and any(t.requires_grad for t in (*xs, *states, *params)):
        counts = (len(xs), len(states), len(params))
        return _Unroll.apply(program, list(record), way, counts, *xs, *states, *params)
    return ops.forward(program, xs, states, params, record, AGAIN)


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        program: Program,
        record: list[int],
        way: str,
        counts: tuple[int, int, int],
        *tensors: Tensor,
    ) -> Tensors:
        first, second = counts[0], counts[0] + counts[1]
        inputs = list(tensors[:first]), list(tensors[first:second]), list(tensors[second:])
        found = ops.forward(program, *inputs, record, way)
        ops.keep(ctx, *inputs, record, way, program.outputs, found)
        # The backward belongs to this forward, whatever becomes of the neuron meanwhile.
        ctx.program = program
        ctx.mark_non_differentiable(*found[ctx.ends :])
        return tuple(found)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        if torch.is_grad_enabled():
            ops.refuse(ctx, [])

        def run(*given: Any) -> list[Tensor | None]:
            xs, states, params, left, incoming = given
            rest = (ctx.record, ctx.wants, ctx.learned, ctx.way)
            return ops.backward(ctx.program, xs, states, params, left, incoming, *rest)

        gxs, gstates, gparams, *_ = ops.differentiate(ctx, list(grads), run)
        return (None, None, None, None, *gxs, *gstates, *gparams)
