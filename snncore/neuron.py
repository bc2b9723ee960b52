"""The neuron: charge, fire, reset. Everything else is derived from these three."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from snncore.config import Numeric
from snncore.kernels.backends import Kernel, Plan, example_shape, leaves_process, preferred, ready
from snncore.kernels.eager import EagerKernel
from snncore.numeric import NumericModule
from snncore.state.memory import MemoryModule, in_transform
from snncore.state.unroll import Given, OneStep, Tensors, arithmetic, one_step
from snncore.step import StepMode
from snncore.surrogate import Surrogate, as_surrogate


class Neuron(NumericModule, MemoryModule):
    """A spiking neuron.

    H[t] = charge(X[t], V[t-1]);  S[t] = Theta(H[t] - V_th);
    V[t] = (1 - S) H + S V_reset  (hard)  or  H - S V_th  (soft, ``v_reset=None``)

    A subclass writes :meth:`charge`; single-step and multi-step runs, membrane recording, the
    functional form and kernels follow from it. Neurons with other dynamics (several states or
    outputs, a moving threshold) override :meth:`step` whole.

    Args:
        v_threshold: threshold V_th.
        v_reset: reset value and initial potential; ``None`` for soft reset from 0.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: name, table or :class:`snncore.Surrogate` of the spike function.
        step_mode: ``"s"`` or ``"m"``.
        store_v_seq: keep the potential after each step of the last call in ``v_seq``.
        backend: name of a kernel backend; ``None`` takes the fastest that can run it.

    Noise, and parameters that vary in time, are further inputs: declare ``inputs = 2``, take it in
    ``step(x, noise, v)``, and draw it in ``forward(self, x)``, for instance with
    ``torch.randn(x.shape, generator=self.generator)``, before ``super().forward(x, noise)``. A
    further input ``[T, *]`` broadcasts against x at each step.

    Every number may be a float, a nested list or tensor (a buffer) or an ``nn.Parameter`` that
    broadcasts against ``[N, *]``.

    Shape: x ``[N, *]`` or ``[T, N, *]``; spikes like x, in its dtype; states ``[N, *]``.
    Raises: StateError as :class:`snncore.MemoryModule`; BackendError when ``backend`` cannot run.
    Source: Fang et al., SpikingJelly, Science Advances 2023, Eq. 5-7.
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0}
    v_threshold: float | Tensor
    v_reset: float | Tensor | None
    _v_seq: Tensor | None = None

    def __init__(
        self,
        *,
        v_threshold: Numeric = 1.0,
        v_reset: Numeric | None = 0.0,
        detach_reset: bool = False,
        surrogate: Surrogate | str | dict[str, Any] = "atan",
        step_mode: StepMode = "s",
        store_v_seq: bool = False,
        backend: str | None = None,
    ) -> None:
        super().__init__()
        self.set_numeric("v_threshold", v_threshold)
        self.set_numeric("v_reset", v_reset)
        self.detach_reset = detach_reset
        self.surrogate = as_surrogate(surrogate)
        self.step_mode = step_mode
        self.store_v_seq = store_v_seq
        self.backend = backend
        self._kernels: dict[Any, Kernel] = {}

    @property
    def v_seq(self) -> Tensor | None:
        """With ``store_v_seq`` the potentials of the last call: ``[T, N, *]``, or ``[N, *]``."""
        return self._v_seq

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        """The potential H before firing, from the input X and the last potential V."""
        raise TypeError(f"{type(self).__name__} must define charge(x, v), or step whole")

    def fire(self, h: Tensor) -> Tensor:
        """S = Theta(H - V_th)."""
        return self.surrogate(h - self.v_threshold)

    def reset(self, h: Tensor, s: Tensor) -> Tensor:
        """The potential after firing. (``snncore.reset(net)`` forgets the state instead.)"""
        if self.detach_reset:
            s = s.detach()
        if self.v_reset is None:
            return h - s * self.v_threshold
        return s * self.v_reset + (1.0 - s) * h

    def step(self, *args: Tensor) -> Tensors:
        """``(x, v) -> (spike, v)``: charge, fire, reset."""
        x, v = args
        h = self.charge(x, v)
        s = self.fire(h)
        return s, self.reset(h, s)

    def initial(self, name: str) -> float | Tensor:
        """V starts at ``v_reset``, at 0 with soft reset."""
        if name == "v" and self.v_reset is not None:
            return self.v_reset
        return super().initial(name)

    def single(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """One step on the chosen backend, in float32 or float64 arithmetic."""
        outputs, states = self._kernel(inputs[0]).single(inputs, states)
        if self.store_v_seq:
            self._record(tuple(states[i] for i in self._recorded()))
        return outputs, states

    def sequence(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """All steps on the chosen backend, in float32 or float64 arithmetic."""
        kernel = self._kernel(one_step(inputs[0]))
        outputs, states, recorded = kernel.sequence(inputs, states, self._recorded())
        if self.store_v_seq:
            self._record(recorded)
        return outputs, states

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
        if not self.store_v_seq:
            return ()
        return (list(self.states).index("v"),)

    def _record(self, recorded: Tensors) -> None:
        if not self._explicit:
            self._v_seq = recorded[0]

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        seq = None if self._v_seq is None else self._v_seq.detach()
        return {**state, "_kernels": {}, "_v_seq": seq}

    def extra_repr(self) -> str:
        """Numeric parameters and whatever is not at its default."""
        parts = [super().extra_repr(), f"step_mode={self.step_mode!r}"]
        if self.detach_reset:
            parts.append("detach_reset=True")
        if self.backend is not None:
            parts.append(f"backend={self.backend!r}")
        return ", ".join(parts)
