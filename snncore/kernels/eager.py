"""The eager backend: PyTorch runs the step as written. Reference of every other backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from snncore.kernels.backends import Plan
from snncore.state.memory import MemoryModule
from snncore.state.unroll import Tensors, arithmetic, take_step, unroll


class EagerKernel:
    """The plain loop over a module's step."""

    def __init__(self, module: MemoryModule) -> None:
        self.module = module

    def single(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """See :class:`snncore.kernels.backends.Kernel`."""
        wide, dtype = _widened(inputs)
        outputs, states = take_step(self.module.step, wide, states, self.module.outputs)
        return tuple(y.to(dtype) for y in outputs), states

    def sequence(
        self, inputs: Tensors, states: Tensors, record: Sequence[int]
    ) -> tuple[Tensors, Tensors, Tensors]:
        """See :class:`snncore.kernels.backends.Kernel`."""
        wide, dtype = _widened(inputs)
        outputs, states, rows = unroll(self.module.step, wide, states, self.module.outputs, record)
        return tuple(y.to(dtype) for y in outputs), states, rows


class EagerBackend:
    """Runs every step on every device."""

    priority: ClassVar[int] = 0
    devices: ClassVar[tuple[str, ...]] = ()

    def available(self) -> str | None:
        """Always."""
        return None

    def supports(self, plan: Plan) -> str | None:
        """Every plan."""
        return None

    def compile(self, plan: Plan) -> EagerKernel:
        """Binds the module's step."""
        return EagerKernel(plan.module)


def _widened(inputs: Tensors) -> tuple[Tensors, torch.dtype]:
    """The inputs in float32 or float64, in which steps are computed, and their own dtype."""
    dtype = inputs[0].dtype
    return tuple(x.to(arithmetic(dtype)) for x in inputs), dtype
