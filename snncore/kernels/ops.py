"""Kernels as operations of torch: opaque to compilers, differentiable, with shapes known ahead.

The low-level library interface is used, because the decorators import the whole compiler.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, cast
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from snncore.errors import BackendError, NotSupported
from snncore.kernels.emit.slots import dtype_of
from snncore.kernels.layout import Layout
from snncore.kernels.program import Program
from snncore.state.unroll import Tensors, arithmetic

_owners: WeakValueDictionary[int, Any] = WeakValueDictionary()
_handles = itertools.count(1)


def register(owner: Any) -> int:
    """A handle under which the operations find a kernel of a module while it lives."""
    handle = next(_handles)
    _owners[handle] = owner
    return handle


def unroll(
    handle: int,
    xs: Sequence[Tensor],
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    record: Sequence[int],
    outputs: int,
    way: str,
) -> tuple[Tensors, Tensors, Tensors]:
    """All time steps: output sequences, final states, recorded state sequences.

    Args:
        handle: of the module's kernel.
        xs, states, params: input sequences, initial states, parameters and buffers.
        record: states whose sequence is wanted.
        outputs: how many outputs the step has.
        way: what is left for the backward.
    """
    found = torch.ops.snncore.unroll(
        list(xs), list(states), list(params), handle, list(record), way
    )
    return divide(found, outputs, len(states), len(record))


def divide(
    found: Sequence[Tensor], outputs: int, states: int, records: int
) -> tuple[Tensors, Tensors, Tensors]:
    """Outputs, final states and recorded sequences among the results of a call."""
    ends = outputs + states
    return tuple(found[:outputs]), tuple(found[outputs:ends]), tuple(found[ends : ends + records])


_library = torch.library.Library("snncore", "DEF")
_library.define(
    "unroll(Tensor[] xs, Tensor[] states, Tensor[] params, int handle, int[] record, str way)"
    " -> Tensor[]"
)
_library.define(
    "unroll_backward(Tensor[] xs, Tensor[] states, Tensor[] params, Tensor[] kept,"
    " Tensor?[] grads, int handle, int[] record, bool[] wants, int[] learned, str way) -> Tensor[]"
)


def owner(handle: int) -> Any:
    """The kernel behind a handle.

    Raises: BackendError when it is gone.
    """
    found = _owners.get(handle)
    if found is None:
        raise BackendError(
            "the neuron behind a compiled kernel is gone; keep the network alive as long as what "
            "was compiled from it"
        )
    return found


def program_of(handle: int, x: Tensor) -> Program:
    """The kernels behind a handle for a sequence like ``x``."""
    return owner(handle).program(x.shape[1:], arithmetic(x.dtype))


def forward(
    program: Program,
    xs: Sequence[Tensor],
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    record: Sequence[int],
    way: str,
) -> list[Tensor]:
    """Outputs, final states, recorded sequences, and what is left for the backward."""
    outs, finals, rows, left = program.forward(xs, states, params, tuple(record), way)
    return [*outs, *finals, *rows, *left]


def _forward(
    xs: list[Tensor],
    states: list[Tensor],
    params: list[Tensor],
    handle: int,
    record: list[int],
    way: str,
) -> list[Tensor]:
    return forward(program_of(handle, xs[0]), xs, states, params, record, way)


def _forward_shapes(
    xs: list[Tensor],
    states: list[Tensor],
    params: list[Tensor],
    handle: int,
    record: list[int],
    way: str,
) -> list[Tensor]:
    x, wide = xs[0], arithmetic(xs[0].dtype)
    return [
        *(_like(x, x.dtype, x.shape[0]) for _ in range(owner(handle).outputs)),
        *(_like(x, wide) for _ in states),
        *(_like(x, wide, x.shape[0]) for _ in record),
        *(
            _like(x, dtype_of(kind, wide), rows)
            for rows, kind in owner(handle).left(way, x.shape[0], wide)
        ),
    ]


def backward(
    program: Program,
    xs: list[Tensor],
    states: list[Tensor],
    params: list[Tensor],
    left: list[Tensor],
    grads: list[Tensor | None],
    record: list[int],
    wants: list[bool],
    learned: list[int],
    way: str,
) -> list[Tensor | None]:
    """Gradients of the wanted inputs, of the initial states, and of the learned parameters.

    None for a parameter that the step does not read.
    """
    outputs = len(grads) - len(states) - len(record)
    traces = {
        place: torch.zeros_like(xs[0], dtype=program.dtype) if grad is None else grad
        for place, grad in zip(record, grads[outputs + len(states) :], strict=True)
    }
    gxs, gstarts, gparams = program.backward(
        xs,
        states,
        params,
        left,
        grads[:outputs],
        grads[outputs : outputs + len(states)],
        traces,
        tuple(wants),
        way,
    )
    found: list[Tensor | None] = [
        torch.zeros_like(x) if g is None else g
        for x, g, want in zip(xs, gxs, wants, strict=True)
        if want
    ]
    return [*found, *gstarts, *(gparams[place] for place in learned)]


def _backward(
    xs: list[Tensor],
    states: list[Tensor],
    params: list[Tensor],
    left: list[Tensor],
    grads: list[Tensor | None],
    handle: int,
    record: list[int],
    wants: list[bool],
    learned: list[int],
    way: str,
) -> list[Tensor]:
    program = program_of(handle, xs[0])
    found = backward(program, xs, states, params, left, grads, record, wants, learned, way)
    # An operation of torch must give a tensor for each.
    others = len(found) - len(learned)
    for i, place in enumerate(learned, others):
        if found[i] is None:
            found[i] = torch.zeros_like(params[place])
    return cast("list[Tensor]", found)


def _backward_shapes(
    xs: list[Tensor],
    states: list[Tensor],
    params: list[Tensor],
    left: list[Tensor],
    grads: list[Tensor | None],
    handle: int,
    record: list[int],
    wants: list[bool],
    learned: list[int],
    way: str,
) -> list[Tensor]:
    first = xs[0]
    return [
        *(_like(first, x.dtype, x.shape[0]) for x, want in zip(xs, wants, strict=True) if want),
        *(_like(first, arithmetic(first.dtype)) for _ in states),
        *(torch.empty_like(params[place]) for place in learned),
    ]


def _like(x: Tensor, dtype: torch.dtype, steps: Any = None) -> Tensor:
    return Layout.of(x).empty(lambda shape: x.new_empty(shape, dtype=dtype), steps)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    xs, states, params, handle, record, way = inputs
    ctx.handle = handle
    keep(ctx, xs, states, params, record, way, owner(handle).outputs, output)


def keep(
    ctx: Any,
    xs: list[Tensor],
    states: list[Tensor],
    params: list[Tensor],
    record: list[int],
    way: str,
    outputs: int,
    found: list[Tensor],
) -> None:
    """Saves what :func:`differentiate` needs."""
    ctx.record, ctx.way = record, way
    ctx.counts = (len(xs), len(states), len(params))
    ctx.ends = outputs + len(states) + len(record)
    # Without it torch would fill gradients of zero for what was kept.
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*xs, *states, *params, *found[ctx.ends :])
    ctx.wants = [x.requires_grad for x in xs]
    ctx.learned = [i for i, p in enumerate(params) if p.requires_grad]


def differentiate(
    ctx: Any, grads: list[Tensor | None], run: Callable[..., Sequence[Tensor | None]]
) -> tuple[Any, ...]:
    """Gradients of inputs, states and parameters, each a list, then of what has none."""
    first, second, third = itertools.accumulate(ctx.counts)
    saved = list(ctx.saved_tensors)
    xs, states, params = saved[:first], saved[first:second], saved[second:third]
    found = list(run(xs, states, params, saved[third:], grads[: ctx.ends]))
    gxs: list[Tensor | None] = [None] * len(xs)
    gparams: list[Tensor | None] = [None] * len(params)
    for place in (i for i, want in enumerate(ctx.wants) if want):
        gxs[place] = found.pop(0)
    gstates = [found.pop(0) for _ in states]
    for place in ctx.learned:
        gparams[place] = found.pop(0)
    # torch takes an empty list of integers for one of tensors and wants its like back.
    return gxs, gstates, gparams, None, None if ctx.record else [], None


def _differentiate(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    def run(*given: Any) -> list[Tensor]:
        return torch.ops.snncore.unroll_backward(
            *given, ctx.handle, ctx.record, ctx.wants, ctx.learned, ctx.way
        )

    return differentiate(ctx, list(grads), run)


def refuse(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    """Raises: NotSupported."""
    raise NotSupported(
        "double backward through a compiled kernel is not supported; for gradients of gradients "
        "build the neuron with backend='eager', or call Kernel.plain"
    )


for _device in ("CPU", "CUDA"):
    _library.impl("unroll", _forward, _device)
    _library.impl("unroll_backward", _backward, _device)
torch.library.register_fake("snncore::unroll", _forward_shapes, lib=_library)
torch.library.register_fake("snncore::unroll_backward", _backward_shapes, lib=_library)
torch.library.register_autograd(
    "snncore::unroll", _differentiate, setup_context=_remember, lib=_library
)
torch.library.register_autograd("snncore::unroll_backward", refuse, lib=_library)
