"""The complementary leaky integrate-and-fire neuron."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor

from snn_neurons.leak import leaky
from snncore.config import Numeric
from snncore.neuron import Neuron
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class CLIF(Neuron):
    """Leaky integrate-and-fire neuron with a complementary potential M that deepens the reset.

    H = V - V / tau + X;  S = Theta(H - V_th);  M <- M sigma(H / tau) + S;
    V = H - S (V_th + sigma(M))

    The reset is always soft and uses M from after its update. M starts at 0.

    Args:
        tau: membrane time constant in steps, > 1.
        v_threshold: threshold V_th.
        detach_reset: cut the gradient through S in the reset equation only, not in that of M.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; states v and m [N, *], float32.
    Raises: ValueError if tau <= 1; StateError when the held state does not fit the input.
    Example:
        >>> CLIF(step_mode="m")(torch.ones(4, 1, 1)).flatten().tolist()
        [1.0, 0.0, 1.0, 0.0]

    Source: Huang et al., CLIF: Complementary leaky integrate-and-fire neuron for spiking neural
        networks, ICML 2024.
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0, "m": 0.0}
    tau: float | Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        v_threshold: Numeric = 1.0,
        detach_reset: bool = False,
        surrogate: Surrogate | str | dict[str, Any] = "rect",
        step_mode: StepMode = "s",
        store_v_seq: bool = False,
        backend: str | None = None,
    ) -> None:
        super().__init__(
            v_threshold=v_threshold,
            v_reset=None,
            detach_reset=detach_reset,
            surrogate=surrogate,
            step_mode=step_mode,
            store_v_seq=store_v_seq,
            backend=backend,
        )
        self.set_numeric("tau", tau)

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        return leaky(x, v, tau=self.tau, rest=None, decay_input=False)

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, m) -> (spike, v, m)``."""
        x, v, m = args
        h = self.charge(x, v)
        s = self.fire(h)
        m = m * torch.sigmoid(h / self.tau) + s
        deeper = (s.detach() if self.detach_reset else s) * torch.sigmoid(m)
        return s, self.reset(h, s) - deeper, m
