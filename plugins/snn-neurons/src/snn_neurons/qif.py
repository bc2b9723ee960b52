"""The quadratic integrate-and-fire neuron."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Gt
from torch import Tensor

from snn_neurons.drift import quadratic
from snncore.config import Numeric
from snncore.neuron import Neuron
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class QIF(Neuron):
    """Quadratic integrate-and-fire neuron.

    H = V + (X + a0 (V - V_rest) (V - V_c)) / tau;  S = Theta(H - V_th);
    V = (1 - S) H + S V_reset

    Args:
        tau: membrane time constant in steps, > 1.
        a0: strength of the quadratic term, > 0.
        v_c: critical potential V_c, above which V grows by itself.
        v_rest: resting potential V_rest.
        v_threshold: threshold V_th.
        v_reset: reset value; None for soft reset V = H - S V_th.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; state v [N, *], float32.
    Raises: ValueError if tau <= 1 or a0 <= 0; StateError when the held state does not fit the
        input.
    Example:
        >>> QIF(step_mode="m")(2 * torch.ones(4, 1, 1)).flatten().tolist()
        [0.0, 1.0, 0.0, 1.0]

    Source: Gerstner et al., Neuronal Dynamics, Cambridge University Press 2014, section 5.3;
        SpikingJelly (Science Advances 2023).
    """

    tau: float | Tensor
    a0: float | Tensor
    v_c: float | Tensor
    v_rest: float | Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        a0: Annotated[Numeric, Gt(0)] = 1.0,
        v_c: Numeric = 0.8,
        v_rest: Numeric = 0.0,
        v_threshold: Numeric = 1.0,
        v_reset: Numeric | None = -0.1,
        detach_reset: bool = False,
        surrogate: Surrogate | str | dict[str, Any] = "atan",
        step_mode: StepMode = "s",
        store_v_seq: bool = False,
        backend: str | None = None,
    ) -> None:
        super().__init__(
            v_threshold=v_threshold,
            v_reset=v_reset,
            detach_reset=detach_reset,
            surrogate=surrogate,
            step_mode=step_mode,
            store_v_seq=store_v_seq,
            backend=backend,
        )
        self.set_numeric("tau", tau)
        self.set_numeric("a0", a0)
        self.set_numeric("v_c", v_c)
        self.set_numeric("v_rest", v_rest)

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        drift = quadratic(v, a0=self.a0, v_rest=self.v_rest, v_c=self.v_c)
        return v + (x + drift) / self.tau
