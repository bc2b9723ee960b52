"""The leaky integrate-and-fire neuron with an absolute refractory period."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from snn_neurons.lif import LIF
from snncore.config import Numeric
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class RefractoryLIF(LIF):
    """Leaky integrate-and-fire neuron that is deaf and silent for some steps after a spike.

    R = 0:  H = V + (X - (V - V_r)) / tau  (``decay_input``)  or  V - (V - V_r) / tau + X;
    S = Theta(H - V_th);  V = (1 - S) H + S V_r;  R <- n S;
    R > 0:  S = 0;  V stays where the reset put it;  R <- R - 1

    R counts the steps to come in which the neuron rests; it has no gradient.

    Args:
        tau: membrane time constant in steps, > 1.
        refractory: n, how many steps after a spike the neuron rests; 0 makes it LIF.
        v_threshold: threshold V_th.
        v_reset: reset and resting value V_r; None for soft reset V = H - S V_th with V_r = 0.
        decay_input: whether the input is divided by tau as well.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; states v and r [N, *], float32.
    Raises: ValueError if tau <= 1 or refractory < 0; StateError when the held state does not fit
        the input.
    Example:
        >>> RefractoryLIF(refractory=2, step_mode="m")(3 * torch.ones(5, 1, 1)).flatten().tolist()
        [1.0, 0.0, 0.0, 1.0, 0.0]

    Source: Gerstner and Kistler, Spiking Neuron Models, Cambridge 2002, section 4.1.
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0, "r": 0.0}

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        refractory: Annotated[int, Ge(0)] = 2,
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
        if refractory < 0:
            raise ValueError(f"{type(self).__name__}: refractory must be >= 0, got {refractory}")
        self.refractory = refractory

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, r) -> (spike, v, r)``."""
        x, v, r = args
        resting = r > 0
        h = torch.where(resting, v, self.charge(x, v))
        s = torch.where(resting, 0.0, self.fire(h))
        r = torch.where(s.detach() > 0, float(self.refractory), (r - 1.0).clamp_min(0.0))
        return s, self.reset(h, s), r
