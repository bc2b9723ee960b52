"""The adaptive exponential integrate-and-fire neuron."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Gt
from torch import Tensor

from snn_neurons.adaptive import Adaptive
from snn_neurons.drift import exponential
from snncore.config import Numeric
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class AdEx(Adaptive):
    """Exponential integrate-and-fire neuron with an adaptation current W.

    H = V + (X + V_rest - V + D e^((V - theta_rh) / D) - W) / tau;  S = Theta(H - V_th);
    V = (1 - S) H + S V_reset;  W <- W + (a (H - V_rest) - W) / tau_w + b S

    The charge uses W from before the step; W starts at ``w_rest``. With a = b = 0, as by default,
    W only decays. float32 holds the exponential for V < theta_rh + 88 D; with soft reset a strong
    input can drive V beyond that.

    Args:
        tau: membrane time constant in steps, > 1.
        delta_t: sharpness D of the upswing, > 0.
        theta_rh: rheobase threshold theta_rh, where the upswing takes over.
        v_rest: resting potential V_rest.
        a: coupling of W to the potential.
        b: jump of W at a spike.
        tau_w: time constant of W in steps, > 1.
        w_rest: W before the first step.
        v_threshold: threshold V_th.
        v_reset: reset value; None for soft reset V = H - S V_th.
        detach_reset: cut the gradient through S in the reset equation only, not in b S.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; states v and w [N, *], float32.
    Raises: ValueError if tau, delta_t or tau_w leaves its range; StateError when the held state
        does not fit the input.
    Example:
        >>> AdEx(b=2.0, step_mode="m")(2 * torch.ones(4, 1, 1)).flatten().tolist()
        [1.0, 0.0, 0.0, 1.0]

    Source: Brette and Gerstner, Adaptive exponential integrate-and-fire model as an effective
        description of neuronal activity, Journal of Neurophysiology 2005; SpikingJelly (Science
        Advances 2023), Eq. 36-38.
    """

    tau: float | Tensor
    delta_t: float | Tensor
    theta_rh: float | Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        delta_t: Annotated[Numeric, Gt(0)] = 1.0,
        theta_rh: Numeric = 0.8,
        v_rest: Numeric = 0.0,
        a: Numeric = 0.0,
        b: Numeric = 0.0,
        tau_w: Annotated[Numeric, Gt(1)] = 2.0,
        w_rest: Numeric = 0.0,
        v_threshold: Numeric = 1.0,
        v_reset: Numeric | None = -0.1,
        detach_reset: bool = False,
        surrogate: Surrogate | str | dict[str, Any] = "atan",
        step_mode: StepMode = "s",
        store_v_seq: bool = False,
        backend: str | None = None,
    ) -> None:
        super().__init__(
            v_rest=v_rest,
            a=a,
            b=b,
            tau_w=tau_w,
            w_rest=w_rest,
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

    def charge(self, x: Tensor, v: Tensor, w: Tensor) -> Tensor:
        drift = exponential(v, v_rest=self.v_rest, delta_t=self.delta_t, theta_rh=self.theta_rh)
        return v + (x + drift - w) / self.tau
