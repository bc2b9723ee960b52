"""A module's step as compiled loops over time and neurons, on any target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from snncore.errors import NotSupported
from snncore.kernels import function, ops
from snncore.kernels.backends import example_shape
from snncore.kernels.capture import capture
from snncore.kernels.emit.slots import HALVES, Format
from snncore.kernels.fingerprint import fingerprint
from snncore.kernels.program import AGAIN, Program, Target
from snncore.kernels.trace import tensors_of
from snncore.state.memory import MemoryModule, in_transform
from snncore.state.unroll import Tensors, arithmetic

_shared: dict[Any, Program] = {}


class CompiledKernel:
    """What a compiled backend hands to a module.

    What was captured is looked up at every call by the values that the step depends on, so a
    changed hyper-parameter, method or shape is captured anew.

    Args:
        module: its ``step`` is pure and elementwise.
        target: what runs it.
    """

    def __init__(self, module: MemoryModule, target: Target) -> None:
        self.module, self.target = module, target
        self.handle = ops.register(self)
        self._own: dict[Any, Program] = {}
        self._known: dict[torch.dtype, Program] = {}

    def program(self, shape: torch.Size, dtype: torch.dtype) -> Program:
        """The captured step for one shape and dtype of the arithmetic.

        Raises: Unsupported when the step cannot become a kernel.
        """
        parts, shareable = fingerprint(self.module)
        key = (parts, shape, dtype, self.target.name)
        store = _shared if shareable else self._own
        if key not in store:
            captured = capture(self.module, shape, dtype)
            store[key] = Program(captured, shape, dtype, self.target)
        self._known[dtype] = store[key]
        return store[key]

    def left(self, way: str, steps: Any, dtype: torch.dtype) -> list[tuple[Any, Format]]:
        """As :meth:`Program.left`, for steps of any shape."""
        if way == AGAIN:
            return []
        # A compiler that traces asks it with shapes that are not known yet.
        known = self._known.get(dtype) or self.program(example_shape(self.module), dtype)
        return known.left(way, steps)

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
        # A compiler sees an operation of torch and looks no further.
        road = ops if compiling else function
        params = list(tensors_of(self.module).values())
        inputs, given = _alike(inputs)
        way = AGAIN
        if torch.is_grad_enabled():
            steps, *shape = inputs[0].shape
            way = self.target.way(steps, math.prod(shape)).name
        outputs, states, rows = road.unroll(
            self.handle, inputs, states, params, record, self.module.outputs, way
        )
        return tuple(y.to(given) for y in outputs), states, rows


def _alike(inputs: Tensors) -> tuple[Tensors, torch.dtype]:
    """The inputs in one dtype that kernels read, and the first one's own."""
    first = inputs[0].dtype
    dtypes = {x.dtype for x in inputs}
    if len(dtypes) == 1 and (first in HALVES or first == arithmetic(first)):
        return inputs, first
    return tuple(x.to(arithmetic(first)) for x in inputs), first
