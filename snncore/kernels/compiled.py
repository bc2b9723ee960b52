"""A module's step as compiled loops over time and neurons, on any target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from snncore.errors import NotSupported
from snncore.kernels import feedback, function, ops, plans
from snncore.kernels.backends import example_shape
from snncore.kernels.capture import capture
from snncore.kernels.content import Content
from snncore.kernels.emit.slots import HALVES, Format
from snncore.kernels.program import AGAIN, Program, Target
from snncore.kernels.tensors import tensors_of
from snncore.state.memory import MemoryModule, in_transform
from snncore.state.unroll import Tensors, arithmetic

_shared: dict[Any, Program] = {}


class CompiledKernel:
    """What a compiled backend hands to a module.

    Every call looks whether anything that the step depends on has changed, so a changed
    hyper-parameter, method or shape is captured anew, or found in the cache of plans.

    Args:
        module: its ``step`` is pure and elementwise.
        target: what runs it.
    """

    def __init__(self, module: MemoryModule, target: Target) -> None:
        self.module, self.target = module, target
        self.handle = ops.register(self)
        self._content: Content | None = None
        self._own: dict[Any, Program] = {}
        self._known: dict[torch.dtype, Program] = {}

    @property
    def outputs(self) -> int:
        """How many outputs a step has."""
        return self.module.outputs

    def program(self, shape: torch.Size, dtype: torch.dtype) -> Program:
        """The captured step for one shape and dtype of the arithmetic.

        Raises: Unsupported when the step cannot become a kernel.
        """
        if self._content is None or not self._content.holds():
            self._content, self._own = Content(self.module), {}
        own, key = self._own, (shape, dtype)
        if key not in own:
            own[key] = self._find(self._content, shape, dtype)
        self._known[dtype] = own[key]
        return own[key]

    def _find(self, content: Content, shape: torch.Size, dtype: torch.dtype) -> Program:
        key = (content.digest, shape, dtype, self.target.name, self.target.stretch)
        # Tensors that the step holds itself are this module's own, whatever their content.
        shareable = content.digest is not None and not content.tensors
        if shareable and key in _shared:
            return _shared[key]
        found = plans.recall(
            content, shape, dtype, lambda shape: capture(self.module, shape, dtype)
        )
        program = Program(found.captured, shape, dtype, self.target)
        program.saves = found.saves
        if shareable:
            _shared[key] = program
        return program

    def left(self, way: str, steps: Any, dtype: torch.dtype) -> list[tuple[Any, Format]]:
        """As :meth:`Program.left`, for steps of any shape."""
        if way == AGAIN:
            return []
        # A compiler that traces asks it with shapes that are not known yet.
        known = self._known.get(dtype) or self.program(example_shape(self.module), dtype)
        return known.left(way, steps)

    @property
    def feeds_back(self) -> bool:
        """Whether :meth:`feed_back` runs on its device."""
        return self.target.feeds_back

    def feed_back(
        self, x: Tensor, states: Tensors, weight: Tensor, last: Tensor
    ) -> tuple[Tensors, Tensors]:
        """All steps of ``y[t] = M(x[t] + W y[t-1])``: y and final states.

        Args:
            x: ``[T, *, H]``.
            states: of M before the first step.
            weight: W, ``[H, H]``.
            last: y before the first step, ``[*, H]``.
        """
        wide = arithmetic(x.dtype)
        program = self.program(x.shape[1:], wide)
        params = cast("Content", self._content).given()
        given = (x.to(wide), states, params, weight.to(wide), last.to(wide))
        y, *finals = feedback.run(program, *given)
        return (y.to(x.dtype),), tuple(finals)

    def single(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """See :class:`snncore.kernels.backends.Kernel`."""
        outputs, states, _ = self.sequence(tuple(x.unsqueeze(0) for x in inputs), states, ())
        return tuple(y.squeeze(0) for y in outputs), states

    def sequence(
        self, inputs: Tensors, states: Tensors, record: Sequence[int]
    ) -> tuple[Tensors, Tensors, Tensors]:
        """See :class:`snncore.kernels.backends.Kernel`."""
        compiling = torch.compiler.is_compiling()
        if not compiling and in_transform():
            raise NotSupported(
                f"backend {self.target.name!r} cannot run inside vmap, grad and other torch.func "
                "transforms, nor in forward-mode differentiation; leave backend=None, or say "
                "backend='eager'"
            )
        if len(inputs) > 1:
            inputs = tuple([_spread(x, inputs[0]) for x in inputs])
        inputs, given = _alike(inputs)
        way = AGAIN
        if torch.is_grad_enabled():
            steps, *shape = inputs[0].shape
            way = self.target.way(steps, math.prod(shape)).name
        if compiling:
            # A compiler sees an operation of torch and looks no further.
            params = list(tensors_of(self.module).values())
            outputs, states, rows = ops.unroll(
                self.handle, inputs, states, params, record, self.module.outputs, way
            )
        else:
            program = self.program(inputs[0].shape[1:], arithmetic(given))
            params = cast("Content", self._content).given()
            found = function.run(program, inputs, states, params, record, way)
            outputs, states, rows = ops.divide(found, program.outputs, len(states), len(record))
        if inputs[0].dtype != given:
            outputs = tuple(y.to(given) for y in outputs)
        return outputs, states, rows


def _spread(x: Tensor, first: Tensor) -> Tensor:
    """A further input ``[T, *]`` in the shape of the first, which a step would broadcast it to."""
    if x.shape == first.shape:
        return x
    missing = first.dim() - x.dim()
    return x.reshape(x.shape[0], *(1,) * missing, *x.shape[1:]).expand(first.shape)


def _alike(inputs: Tensors) -> tuple[Tensors, torch.dtype]:
    """The inputs in one dtype that kernels read, and the first one's own."""
    first = inputs[0].dtype
    dtypes = {x.dtype for x in inputs}
    if len(dtypes) == 1 and (first in HALVES or first == arithmetic(first)):
        return inputs, first
    return tuple(x.to(arithmetic(first)) for x in inputs), first
