"""Runs a kernel program under autograd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from snncore.errors import NotSupported
from snncore.kernels.program import CpuProgram
from snncore.state.unroll import Tensors


def run(
    program: CpuProgram,
    xs: Sequence[Tensor],
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    record: Sequence[int],
) -> tuple[Tensors, Tensors, Tensors]:
    """All time steps: output sequences, final states, recorded state sequences."""
    counts = (len(xs), len(states), len(params))
    results = _Unroll.apply(program, tuple(record), counts, *xs, *states, *params)
    outputs = len(results) - len(states) - len(record)
    return (
        results[:outputs],
        results[outputs : outputs + len(states)],
        results[outputs + len(states) :],
    )


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        program: CpuProgram,
        record: tuple[int, ...],
        counts: tuple[int, int, int],
        *tensors: Tensor,
    ) -> Tensors:
        xs, states, params = _divide(tensors, counts)
        outs, finals, rows, _ = program.forward(xs, states, params, record, keep=False)
        if any(ctx.needs_input_grad):
            ctx.program, ctx.record, ctx.counts = program, record, counts
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(*tensors)
        return (*outs, *finals, *rows)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        if torch.is_grad_enabled():
            raise NotSupported(
                "double backward through a compiled kernel is not supported; build the neuron "
                "with backend='eager' for gradients of gradients"
            )
        program: CpuProgram = ctx.program
        xs, states, params = _divide(ctx.saved_tensors, ctx.counts)
        steps = xs[0].shape[0]
        last = len(grads) - len(ctx.record)
        traces = {
            place: torch.zeros((steps, *program.shape), dtype=program.dtype) if g is None else g
            for place, g in zip(ctx.record, grads[last:], strict=True)
        }
        outputs = last - len(states)
        gxs, gstarts, gparams = program.backward(
            xs,
            states,
            params,
            (),
            grads[:outputs],
            grads[outputs:last],
            traces,
            ctx.needs_input_grad[3 : 3 + len(xs)],
            steps,
        )
        return (None, None, None, *gxs, *gstarts, *gparams)


def _divide(
    tensors: Sequence[Tensor], counts: tuple[int, int, int]
) -> tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]:
    first, second = counts[0], counts[0] + counts[1]
    return tensors[:first], tensors[first:second], tensors[second:]
