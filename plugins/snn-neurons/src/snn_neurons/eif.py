"""The exponential integrate-and-fire neuron."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Gt
from torch import Tensor

from snn_neurons.drift import exponential
from snncore.config import Numeric
from snncore.neuron import Neuron
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class EIF(Neuron):
    """Exponential integrate-and-fire neuron.

    H = V + (X + V_rest - V + D e^((V - theta_rh) / D)) / tau;  S = Theta(H - V_th);
    V = (1 - S) H + S V_reset

    float32 holds the exponential for V < theta_rh + 88 D; with soft reset a strong input can drive
    V beyond that.

    Args:
        tau: membrane time constant in steps, > 1.
        delta_t: sharpness D of the upswing, > 0; the neuron nears a leaky one as D nears 0.
        theta_rh: rheobase threshold theta_rh, where the upswing takes over.
        v_rest: resting potential V_rest.
        v_threshold: threshold V_th.
        v_reset: reset value; None for soft reset V = H - S V_th.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; state v [N, *], float32.
    Raises: ValueError if tau <= 1 or delta_t <= 0; StateError when the held state does not fit the
        input.
    Example:
        >>> EIF(step_mode="m")(torch.ones(4, 1, 1)).flatten().tolist()
        [0.0, 1.0, 0.0, 1.0]

    Source: Fourcaud-Trocme et al., How spike generation mechanisms determine the neuronal response
        to fluctuating inputs, Journal of Neuroscience 2003; SpikingJelly (Science Advances 2023).
    """

    tau: float | Tensor
    delta_t: float | Tensor
    theta_rh: float | Tensor
    v_rest: float | Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        delta_t: Annotated[Numeric, Gt(0)] = 1.0,
        theta_rh: Numeric = 0.8,
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
        self.set_numeric("delta_t", delta_t)
        self.set_numeric("theta_rh", theta_rh)
        self.set_numeric("v_rest", v_rest)

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        drift = exponential(v, v_rest=self.v_rest, delta_t=self.delta_t, theta_rh=self.theta_rh)
        return v + (x + drift) / self.tau
