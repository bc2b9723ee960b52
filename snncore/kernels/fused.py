"""A module with memory whose pointwise step runs as a kernel through time."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.modules import module as hooks

from snncore.kernels.backends import Kernel, Plan, example_shape, leaves_process, preferred, ready
from snncore.kernels.eager import EagerKernel
from snncore.registry import label
from snncore.state.memory import MemoryModule, in_transform
from snncore.state.unroll import Given, OneStep, Tensors, arithmetic, one_step


class FusedModule(MemoryModule):
    """Runs the step that a subclass writes on the fastest backend that can.

    The step is pure, deterministic and elementwise over inputs and states; parameters and buffers
    broadcast against one step ``[N, *]``. The kernels, forward and backward through time, follow
    from it. It computes in float32, in float64 for float64 input; outputs are in the input's dtype.

    Args:
        backend: name of a kernel backend; ``None`` takes the fastest that can run it.

    Raises: BackendError when ``backend`` cannot run; StateError as
        :class:`snncore.MemoryModule`.
    """

    def __init__(self, *, backend: str | None = None) -> None:
        super().__init__()
        self.backend = backend
        self._kernels: dict[Any, Kernel] = {}

    def single(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """One step on the chosen backend, in float32 or float64 arithmetic."""
        outputs, states = self._kernel(inputs[0]).single(inputs, states)
        if recorded := self._recorded():
            self._record(tuple([states[i] for i in recorded]))
        return outputs, states

    def sequence(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """All steps on the chosen backend, in float32 or float64 arithmetic."""
        kernel = self._kernel(one_step(inputs[0]))
        outputs, states, recorded = kernel.sequence(inputs, states, self._recorded())
        if recorded:
            self._record(recorded)
        return outputs, states

    def unfed(self, x: Given) -> str | None:
        """Why :meth:`fed_back` cannot run for a time step like ``x``; None if it can."""
        own = type(self)
        if (self.inputs, self.outputs) != (1, 1) or own.forward is not MemoryModule.forward:
            return f"{label(self)} takes or gives more than one tensor, or looks at each step"
        if watched(self):
            return f"hooks watch the single steps of {label(self)}"
        if torch.compiler.is_compiling() or in_transform():
            return "a compiler or a transform looks into the loop"
        kernel = self._kernel(x)
        if not getattr(kernel, "feeds_back", False):
            return f"the backend of {label(self)} feeds no output back"
        return None

    def fed_back(self, x_seq: Tensor, weight: Tensor, last: Tensor) -> Tensor:
        """All steps with the last output fed back, ``y[t] = M(x[t] + W y[t-1])``, in one kernel.

        Args:
            x_seq: ``[T, *, H]``.
            weight: W, ``[H, H]``.
            last: y before the first step, ``[*, H]``.
        Returns: y, ``[T, *, H]``; the states advance as by single steps.
        """

        def run(inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
            kernel = cast("Any", self._kernel(now))
            outputs, after = kernel.feed_back(inputs[0], states, weight, last)
            if recorded := self._recorded():
                self._record(tuple([after[i] for i in recorded]))
            return outputs, after

        now = one_step(x_seq)
        return self._advance(run, (x_seq,), (now,))

    def _kernel(self, x: Given) -> Kernel:
        wanted = preferred(self.backend)
        if torch.compiler.is_compiling():
            if leaves_process():
                return EagerKernel(self)
            place = self._choose_ahead(x.device.type, arithmetic(x.dtype), wanted)
            return EagerKernel(self) if place < 0 else list(self._kernels.values())[place]
        # A functional transform looks into the step, which a kernel hides.
        if wanted is None and in_transform():
            return EagerKernel(self)
        return self._chosen(x, wanted)[1]

    def _chosen(self, x: Given, wanted: str | None) -> tuple[Any, Kernel]:
        key = (x.device.type, x.dtype, torch.is_grad_enabled(), wanted)
        found = self._kernels.get(key)
        if found is None:
            # Another thread may have chosen meanwhile; all go on with one kernel.
            found = self._kernels.setdefault(key, ready(Plan.of(self, x), wanted))
        return key, found

    def _choose_ahead(self, device: str, dtype: torch.dtype, wanted: str | None) -> int:
        """Place of the kernel in ``_kernels``; -1 for the step itself, which is then compiled."""
        x = OneStep(example_shape(self), dtype, torch.device(device))
        key, kernel = self._chosen(x, wanted)
        return -1 if isinstance(kernel, EagerKernel) else list(self._kernels).index(key)

    # Dynamo runs it while it traces and keeps the result (torch.compiler.assume_constant_result,
    # without importing the compiler for it).
    _choose_ahead._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]

    def _recorded(self) -> tuple[int, ...]:
        """Places of the states whose value after every step :meth:`_record` wants."""
        return ()

    def _record(self, recorded: Tensors) -> None:
        """Takes the recorded states of a call."""

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_kernels": {}}


def watched(module: torch.nn.Module) -> bool:
    """Whether a hook would see a call of the module, or a gradient of one."""
    own = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, name) for name in own) or any(
        getattr(hooks, f"_global{name}") for name in own
    )
