"""The Izhikevich neuron: quadratic membrane and recovery current."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Gt
from torch import Tensor

from snn_neurons.adaptive import Adaptive
from snn_neurons.drift import quadratic
from snncore.config import Numeric
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class Izhikevich(Adaptive):
    """Quadratic integrate-and-fire neuron with a recovery current W.

    H = V + (X + a0 (V - V_rest) (V - V_c) - W) / tau;  S = Theta(H - V_th);
    V = (1 - S) H + S V_reset;  W <- W + (a (H - V_rest) - W) / tau_w + b S

    The charge uses W from before the step; W starts at ``w_rest``. With a = b = 0, as by default,
    W only decays.

    Args:
        tau: membrane time constant in steps, > 1.
        a0: strength of the quadratic term, > 0.
        v_c: critical potential V_c, above which V grows by itself.
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
    Raises: ValueError if tau, a0 or tau_w leaves its range; StateError when the held state does
        not fit the input.
    Example:
        >>> Izhikevich(b=4.0, step_mode="m")(3 * torch.ones(4, 1, 1)).flatten().tolist()
        [1.0, 0.0, 0.0, 1.0]

    Source: Izhikevich, Simple model of spiking neurons, IEEE Transactions on Neural Networks
        2003; SpikingJelly (Science Advances 2023), Eq. 36-38.
    """

    tau: float | Tensor
    a0: float | Tensor
    v_c: float | Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        a0: Annotated[Numeric, Gt(0)] = 1.0,
        v_c: Numeric = 0.8,
        v_rest: Numeric = -0.1,
        a: Numeric = 0.0,
        b: Numeric = 0.0,
        tau_w: Annotated[Numeric, Gt(1)] = 2.0,
        w_rest: Numeric = 0.0,
        v_threshold: Numeric = 1.0,
        v_reset: Numeric | None = 0.0,
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
        self.set_numeric("a0", a0)
        self.set_numeric("v_c", v_c)

    def charge(self, x: Tensor, v: Tensor, w: Tensor) -> Tensor:
        drift = quadratic(v, a0=self.a0, v_rest=self.v_rest, v_c=self.v_c)
        return v + (x + drift - w) / self.tau
