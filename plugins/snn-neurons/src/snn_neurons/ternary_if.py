"""The integrate-and-fire neuron with ternary spikes."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Gt
from torch import Tensor

from snn_neurons.ternary import Ternary
from snncore.config import Numeric
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class TernaryIF(Ternary):
    """Integrate-and-fire neuron with spikes -1, 0 and 1.

    H = V + X;  p = Theta(H - V_th);  m = Theta(-H - V_th);  S = p - m;
    V = (1 - p - m) H + (p + m) V_reset

    Args:
        v_threshold: threshold V_th of both signs, > 0.
        v_reset: reset value; None for soft reset V = H - S V_th.
        detach_reset: cut the gradient through p and m in the reset equation only.
        surrogate: spike function of p and of m.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; state v [N, *], float32.
    Raises: ValueError if v_threshold <= 0; StateError when the held state does not fit the input.
    Example:
        >>> x = torch.tensor([0.6, 0.6, -0.6, -0.6]).view(4, 1, 1)
        >>> TernaryIF(step_mode="m")(x).flatten().tolist()
        [0.0, 1.0, 0.0, -1.0]

    Source: Guo et al., Ternary spike: learning ternary spikes for spiking neural networks, AAAI
        2024.
    """

    def __init__(
        self,
        *,
        v_threshold: Annotated[Numeric, Gt(0)] = 1.0,
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

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        return v + x
