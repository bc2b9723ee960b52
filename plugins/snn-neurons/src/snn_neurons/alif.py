"""The adaptive leaky integrate-and-fire neuron: its threshold moves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le
from torch import Tensor

from snn_neurons.leak import leaky
from snncore.config import Numeric
from snncore.neuron import Neuron
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class ALIF(Neuron):
    """Adaptive leaky integrate-and-fire neuron: every spike raises the threshold for a while.

    H = V + (X - (V - V_r)) / tau  (``decay_input``)  or  V - (V - V_r) / tau + X;
    S = Theta(H - V_th - beta b);  V = (1 - S) H + S V_r;  b <- rho b + (1 - rho) S

    The threshold of a step uses b from before it. b starts at 0.

    Args:
        tau: membrane time constant in steps, > 1.
        beta: how far the threshold rises where b, the smoothed firing rate, is 1.
        rho: decay of b per step, in [0, 1]; e^(-1/tau_b) for a time constant of tau_b steps.
        v_threshold: threshold V_th at rest.
        v_reset: reset and resting value V_r; None for soft reset V = H - S (V_th + beta b) with
            V_r = 0.
        decay_input: whether the input is divided by tau as well.
        detach_reset: cut the gradient through S in the reset equation only, not in that of b.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; states v and b [N, *], float32.
    Raises: ValueError if tau <= 1 or rho leaves [0, 1]; StateError when the held state does not
        fit the input.
    Example:
        >>> ALIF(beta=10.0, rho=0.5, step_mode="m")(2 * torch.ones(4, 1, 1)).flatten().tolist()
        [1.0, 0.0, 0.0, 0.0]

    Source: Bellec et al., Long short-term memory and learning-to-learn in networks of spiking
        neurons, NeurIPS 2018; SpikingJelly (Science Advances 2023), Eq. 34-35.
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0, "b": 0.0}
    tau: float | Tensor
    beta: float | Tensor
    rho: float | Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        beta: Numeric = 1.8,
        rho: Annotated[Numeric, Ge(0), Le(1)] = 0.9,
        v_threshold: Numeric = 1.0,
        v_reset: Numeric | None = 0.0,
        decay_input: bool = True,
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
        self.set_numeric("beta", beta)
        self.set_numeric("rho", rho)
        self.decay_input = decay_input

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        return leaky(x, v, tau=self.tau, rest=self.v_reset, decay_input=self.decay_input)

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, b) -> (spike, v, b)``."""
        x, v, b = args
        raised = self.beta * b
        h = self.charge(x, v)
        s = self.fire(h - raised)
        v = self.reset(h, s)
        if self.v_reset is None:
            # The reset subtracts the threshold at rest; this is the rest of the current one.
            v = v - (s.detach() if self.detach_reset else s) * raised
        return s, v, self.rho * b + (1.0 - self.rho) * s
