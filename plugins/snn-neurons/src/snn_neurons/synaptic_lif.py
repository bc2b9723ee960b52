"""The leaky integrate-and-fire neuron behind a synapse that rises and decays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt
from torch import Tensor

from snn_neurons.lif import LIF
from snncore.config import Numeric
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class SynapticLIF(LIF):
    """Leaky integrate-and-fire neuron of a synaptic current that rises and decays.

    A <- A + (X - A) / tau_rise;  I <- I + (A - I) / tau_decay;
    H = V + (I - (V - V_r)) / tau  (``decay_input``)  or  V - (V - V_r) / tau + I;
    S = Theta(H - V_th);  V = (1 - S) H + S V_r

    Two filters in a row give the current that one input causes n steps later, with
    p = 1 - 1/tau_decay and q = 1 - 1/tau_rise:

    I[n] = (1 - p)(1 - q) (p^(n+1) - q^(n+1)) / (p - q), a difference of exponentials, and
    I[n] = (1 - p)^2 (n + 1) p^n, the alpha function, where the time constants are equal.

    The equations are the same in both cases, and no quotient of small differences is taken. The
    sum over n is 1: the charge of an input does not depend on the time constants. Multiplied by
    tau_rise tau_decay it is the double exponential that starts with slope 1.

    Args:
        tau: membrane time constant in steps, > 1.
        tau_rise: time constant of the rise in steps, >= 1; 1 leaves one exponential.
        tau_decay: time constant of the decay in steps, >= 1; exchanging the two changes nothing.
        v_threshold: threshold V_th.
        v_reset: reset and resting value V_r; None for soft reset V = H - S V_th with V_r = 0. The
            current is not reset.
        decay_input: whether the current is divided by tau as well.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; states v, a and i [N, *], float32.
    Raises: ValueError if tau <= 1, tau_rise < 1 or tau_decay < 1; StateError when the held state
        does not fit the input.
    Example:
        >>> net = SynapticLIF(tau_rise=2.0, tau_decay=2.0, v_threshold=9.0)
        >>> [(net(x), net.i.item())[1] for x in torch.tensor([[[4.0]], [[0.0]], [[0.0]]])]
        [1.0, 1.0, 0.75]

    Source: Roth and van Rossum, Modeling synapses, in Computational Modeling Methods for
        Neuroscientists, MIT Press 2009; the alpha neuron of snnTorch, Eshraghian et al.,
        Proceedings of the IEEE 2023.
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0, "a": 0.0, "i": 0.0}
    conformance: ClassVar[Mapping[str, Any]] = {"gain": 8.0}
    tau_rise: float | Tensor
    tau_decay: float | Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        tau_rise: Annotated[Numeric, Ge(1)] = 2.0,
        tau_decay: Annotated[Numeric, Ge(1)] = 5.0,
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
            tau,
            v_threshold=v_threshold,
            v_reset=v_reset,
            decay_input=decay_input,
            detach_reset=detach_reset,
            surrogate=surrogate,
            step_mode=step_mode,
            store_v_seq=store_v_seq,
            backend=backend,
        )
        self.set_numeric("tau_rise", tau_rise)
        self.set_numeric("tau_decay", tau_decay)

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, a, i) -> (spike, v, a, i)``."""
        x, v, a, i = args
        a = a + (x - a) / self.tau_rise
        i = i + (a - i) / self.tau_decay
        s, v = super().step(i, v)
        return s, v, a, i
