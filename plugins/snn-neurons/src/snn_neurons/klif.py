"""The leaky integrate-and-fire neuron with a learnable slope."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from annotated_types import Gt
from torch import Tensor

from snn_neurons.lif import LIF
from snncore.config import Numeric
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class KLIF(LIF):
    """Leaky integrate-and-fire neuron whose charged potential is scaled by k and rectified.

    H = V + (X - (V - V_r)) / tau  (``decay_input``)  or  V - (V - V_r) / tau + X;
    U = relu(k H);  S = Theta(U - V_th);
    V = (1 - S) U + S V_r,  or  (1 - S) U / k + S V_r  (``scale_reset``)

    The slope k is an ``nn.Parameter``.

    Args:
        tau: membrane time constant in steps, > 1.
        k: slope to start from, > 0; a nested list or tensor that broadcasts against [N, *] gives
            one per channel or neuron.
        scale_reset: whether the reset undoes the scaling: of U / k, with V_th / k where it is soft.
        v_threshold: threshold V_th.
        v_reset: reset and resting value V_r; None for soft reset V = U - S V_th with V_r = 0.
        decay_input: whether the input is divided by tau as well.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; state v [N, *], float32.
    Raises: ValueError if tau <= 1 or k <= 0; StateError when the held state does not fit the input.
    Example:
        >>> KLIF(k=2.0, step_mode="m")(torch.ones(3, 1, 1)).flatten().tolist()
        [1.0, 1.0, 1.0]

    Source: Jiang and Zhang, KLIF: an optimized spiking neuron unit for tuning surrogate gradient
        slope and membrane potential, arXiv 2302.09238.
    """

    k: Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        k: Annotated[Numeric, Gt(0)] = 1.0,
        scale_reset: bool = False,
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
        self.set_numeric("k", k)
        self.make_learnable(["k"])
        self.scale_reset = scale_reset

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        return torch.relu(self.k * super().charge(x, v))

    def reset(self, h: Tensor, s: Tensor) -> Tensor:
        if not self.scale_reset:
            return super().reset(h, s)
        if self.v_reset is None:
            return super().reset(h, s) / self.k
        return super().reset(h / self.k, s)
