"""The parametric leaky integrate-and-fire neuron."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snncore.config import Numeric, check_numeric
from snncore.neuron import Neuron
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class PLIF(Neuron):
    """Leaky integrate-and-fire neuron with a learnable membrane time constant.

    1 / tau = sigma(w);  H = V + (X - (V - V_r)) sigma(w)  (``decay_input``)
    or  V - (V - V_r) sigma(w) + X;  S = Theta(H - V_th);  V = (1 - S) H + S V_r

    Args:
        init_tau: time constant in steps to start from, > 1; w = -ln(init_tau - 1). A nested list
            or tensor that broadcasts against [N, *] gives one w per channel or neuron.
        v_threshold: threshold V_th.
        v_reset: reset and resting value V_r; None for soft reset V = H - S V_th with V_r = 0.
        decay_input: whether the input is divided by tau as well.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; state v [N, *], float32.
    Raises: ValueError if init_tau <= 1; StateError when the held state does not fit the input.
    Example:
        >>> PLIF(init_tau=2.0).w.item()
        -0.0

    Source: Fang et al., Incorporating learnable membrane time constant to enhance learning of
        spiking neural networks, ICCV 2021; SpikingJelly (Science Advances 2023), Eq. 28-29.
    """

    def __init__(
        self,
        init_tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
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
        check_numeric(type(self), "init_tau", init_tau)
        tau = torch.as_tensor(init_tau, dtype=torch.get_default_dtype()).detach()
        self.w = nn.Parameter(-torch.log(tau - 1.0))
        self.decay_input = decay_input

    @property
    def init_tau(self) -> Tensor:
        """The time constant that w stands for now, in steps."""
        return (1.0 / self.w.detach().sigmoid()).detach()

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        leak = v if self.v_reset is None else v - self.v_reset
        if self.decay_input:
            return v + (x - leak) * self.w.sigmoid()
        return v - leak * self.w.sigmoid() + x

    def extra_repr(self) -> str:
        """The current time constant too."""
        tau = self.init_tau
        shown = f"{tau.item():.4g}" if tau.dim() == 0 else f"tensor{list(tau.shape)}"
        return f"tau={shown}, {super().extra_repr()}"
