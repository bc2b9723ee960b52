"""The leaky integrate-and-fire neuron with synaptic conductances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor

from snncore.config import Numeric
from snncore.neuron import Neuron
from snncore.step import StepMode
from snncore.surrogate import Surrogate


def _decay(tau: float | Tensor) -> float | Tensor:
    """e^(-1 / tau)."""
    return torch.exp(-1.0 / tau) if isinstance(tau, Tensor) else math.exp(-1.0 / tau)


class ConductanceLIF(Neuron):
    """Leaky integrate-and-fire neuron whose inputs open excitatory and inhibitory channels.

    G_e <- G_e e^(-1/tau_e) + max(X_e, 0);  G_i <- G_i e^(-1/tau_i) + max(X_i, 0);
    G = 1 + G_e + G_i;  V_inf = (V_rest + G_e E_e + G_i E_i) / G;
    H = V_inf + (V - V_inf) e^(-G / tau);  S = Theta(H - V_th);  V = (1 - S) H + S V_reset

    This is the solution over one step of tau dV/dt = V_rest - V + G_e (E_e - V) + G_i (E_i - V),
    with conductances in units of the leak; it is stable however large they grow. ``net(x)`` takes
    a signed current for both: its positive part excites, its negative part inhibits.

    Args:
        tau: membrane time constant at rest in steps, > 0.
        tau_e: time constant of the excitatory conductance in steps, > 0.
        tau_i: time constant of the inhibitory conductance in steps, > 0.
        e_e: excitatory reversal potential E_e, in units of the threshold.
        e_i: inhibitory reversal potential E_i.
        v_rest: resting potential V_rest.
        v_threshold: threshold V_th.
        v_reset: reset value; None for soft reset V = H - S V_th.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x_e, or signed x, [N, *] or [T, N, *]; x_i broadcasts against it; spikes like the first;
        states v, g_e and g_i [N, *], float32.
    Raises: ValueError if a time constant is <= 0; StateError when the held state does not fit the
        input.
    Example:
        >>> net = ConductanceLIF(tau=2.0, step_mode="m")
        >>> net(torch.ones(3, 1, 1)).flatten().tolist()
        [1.0, 1.0, 1.0]
        >>> snn.reset(net)
        >>> net(torch.ones(3, 1, 1), 4 * torch.ones(3, 1, 1)).flatten().tolist()
        [0.0, 0.0, 0.0]

    Source: Gerstner and Kistler, Spiking Neuron Models, Cambridge 2002, section 2.4; Brette et
        al., Simulation of networks of spiking neurons, Journal of Computational Neuroscience
        2007, whose benchmark gives the defaults at 1 ms per step and 10 mV per unit.
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0, "g_e": 0.0, "g_i": 0.0}
    inputs: ClassVar[int] = 2
    tau: float | Tensor
    tau_e: float | Tensor
    tau_i: float | Tensor
    e_e: float | Tensor
    e_i: float | Tensor
    v_rest: float | Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(0)] = 20.0,
        *,
        tau_e: Annotated[Numeric, Gt(0)] = 5.0,
        tau_i: Annotated[Numeric, Gt(0)] = 10.0,
        e_e: Numeric = 6.0,
        e_i: Numeric = -2.0,
        v_rest: Numeric = 0.0,
        v_threshold: Numeric = 1.0,
        v_reset: Numeric | None = 0.0,
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
        self.set_numeric("tau_e", tau_e)
        self.set_numeric("tau_i", tau_i)
        self.set_numeric("e_e", e_e)
        self.set_numeric("e_i", e_i)
        self.set_numeric("v_rest", v_rest)

    def forward(self, *inputs: Tensor) -> Any:
        """Spikes for excitation and inhibition, or for one signed current."""
        if len(inputs) == 1:
            # The step takes the positive part of either.
            inputs = (*inputs, -inputs[0])
        return super().forward(*inputs)

    # The conductances take the place of the input current.
    def charge(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, g_e: Tensor, g_i: Tensor, v: Tensor
    ) -> Tensor:
        """The potential H before firing, from the conductances of this step and the last V."""
        total = 1.0 + g_e + g_i
        target = (self.v_rest + g_e * self.e_e + g_i * self.e_i) / total
        return target + (v - target) * torch.exp(-total / self.tau)

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x_e, x_i, v, g_e, g_i) -> (spike, v, g_e, g_i)``."""
        x_e, x_i, v, g_e, g_i = args
        g_e = g_e * _decay(self.tau_e) + x_e.clamp_min(0.0)
        g_i = g_i * _decay(self.tau_i) + x_i.clamp_min(0.0)
        h = self.charge(g_e, g_i, v)
        s = self.fire(h)
        return s, self.reset(h, s), g_e, g_i
