"""The neuron: charge, fire, reset. Everything else is derived from these three.

The membrane is what it shares with readouts, which charge and never fire.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from snncore.config import Numeric
from snncore.kernels.fused import FusedModule
from snncore.numeric import NumericModule
from snncore.state.unroll import Tensors
from snncore.step import StepMode
from snncore.surrogate import Surrogate, as_surrogate


class Membrane(NumericModule, FusedModule):
    """A potential V that integrates its input.

    A subclass writes :meth:`charge` and a ``step``; single-step and multi-step runs, membrane
    recording, the functional form and kernels follow from it.

    Args:
        step_mode: ``"s"`` or ``"m"``.
        store_v_seq: keep the potential after each step of the last call in ``v_seq``.
        backend: name of a kernel backend; ``None`` takes the fastest that can run it.

    Shape: x ``[N, *]`` or ``[T, N, *]``; states ``[N, *]``.
    Raises: StateError as :class:`snncore.MemoryModule`; BackendError when ``backend`` cannot run.
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0}
    _v_seq: Tensor | None = None

    def __init__(
        self,
        *,
        step_mode: StepMode = "s",
        store_v_seq: bool = False,
        backend: str | None = None,
    ) -> None:
        super().__init__(backend=backend)
        self.step_mode = step_mode
        self.store_v_seq = store_v_seq

    @property
    def v_seq(self) -> Tensor | None:
        """With ``store_v_seq`` the potentials of the last call: ``[T, N, *]``, or ``[N, *]``."""
        return self._v_seq

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        """The potential H before firing, from the input X and the last potential V."""
        raise TypeError(f"{type(self).__name__} must define charge(x, v), or step whole")

    def set_initial(self, name: str, value: Any) -> None:
        """Says where a state starts, instead of :meth:`initial`; it is kept as ``initial_<name>``.

        Args:
            name: of a state.
            value: a number, a nested list or tensor (a buffer) or an ``nn.Parameter``, which then
                learns; its shape broadcasts against ``[N, *]``. ``None`` takes it back.

        Raises: ValueError for a name that is no state; StateError at the first input that the
            value does not broadcast against.
        """
        if name not in self.states:
            raise ValueError(
                f"{type(self).__name__} has no state {name!r}; its states are "
                f"{', '.join(self.states)}"
            )
        attribute = f"initial_{name}"
        if hasattr(self, attribute):
            delattr(self, attribute)
            self._numeric = tuple(known for known in self._numeric if known != attribute)
        if value is not None:
            self.set_numeric(attribute, value)

    def held_states(self) -> Mapping[str, Tensor]:
        """The states that the coming call starts from; empty before the first.

        For a ``forward`` that looks up a further input by them. In what
        ``torch.utils.checkpoint`` runs again they are those of the first run.
        """
        watched = not (self._explicit or torch.compiler.is_compiling())
        region = self._region() if watched else None
        if region is None:
            return self._states
        return region.states(self, dict(self._states)) or {}

    def _first(self, name: str) -> float | Tensor:
        value = getattr(self, f"initial_{name}", None)
        return super()._first(name) if value is None else value

    def _recorded(self) -> tuple[int, ...]:
        if not self.store_v_seq:
            return ()
        return (list(self.states).index("v"),)

    def _record(self, recorded: Tensors) -> None:
        if not self._explicit:
            self._v_seq = recorded[0]

    def __getstate__(self) -> dict[str, Any]:
        seq = None if self._v_seq is None else self._v_seq.detach()
        return {**super().__getstate__(), "_v_seq": seq}

    def extra_repr(self) -> str:
        """Numeric parameters and whatever is not at its default."""
        parts = [super().extra_repr(), f"step_mode={self.step_mode!r}"]
        if self.backend is not None:
            parts.append(f"backend={self.backend!r}")
        return ", ".join(filter(None, parts))


class Neuron(Membrane):
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
    further input ``[T, *]`` broadcasts against x at each step; :meth:`held_states` tells a
    parameter with one value per step where in its course a call begins.

    Every number may be a float, a nested list or tensor (a buffer) or an ``nn.Parameter`` that
    broadcasts against ``[N, *]``.

    Shape: x ``[N, *]`` or ``[T, N, *]``; spikes like x, in its dtype; states ``[N, *]``.
    Raises: StateError as :class:`snncore.MemoryModule`; BackendError when ``backend`` cannot run.
    Source: Fang et al., SpikingJelly, Science Advances 2023, Eq. 5-7.
    """

    v_threshold: float | Tensor
    v_reset: float | Tensor | None

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
        super().__init__(step_mode=step_mode, store_v_seq=store_v_seq, backend=backend)
        self.set_numeric("v_threshold", v_threshold)
        self.set_numeric("v_reset", v_reset)
        self.detach_reset = detach_reset
        self.surrogate = as_surrogate(surrogate)

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

    def extra_repr(self) -> str:
        """Numeric parameters and whatever is not at its default."""
        return super().extra_repr() + (", detach_reset=True" if self.detach_reset else "")
