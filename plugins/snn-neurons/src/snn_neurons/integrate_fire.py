"""The integrate-and-fire neuron."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from snncore.config import Numeric
from snncore.neuron import Neuron
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class IF(Neuron):
    """Integrate-and-fire neuron, the perfect integrator.

    H = V + X;  S = Theta(H - V_th);  V = (1 - S) H + S V_reset

    Args:
        v_threshold: threshold V_th.
        v_reset: reset value; None for soft reset V = H - S V_th.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; state v [N, *], float32.
    Raises: StateError when the held state does not fit the input.
    Example:
        >>> IF()(torch.ones(4, 3)).sum().item()
        12.0

    Source: SpikingJelly (Science Advances 2023), Eq. 12, 25-27.
    """

    def __init__(
        self,
        *,
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

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        return v + x
