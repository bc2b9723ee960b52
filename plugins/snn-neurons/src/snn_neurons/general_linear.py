"""The general linear neuron: decay, input gain and threshold are learned."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from annotated_types import Ge, Le
from torch import Tensor

from snncore.config import Numeric
from snncore.neuron import Neuron
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class GeneralLinear(Neuron):
    """Linear integrate-and-fire neuron with learnable decay, input gain and threshold.

    H = clamp(alpha, 0, 1) V + beta X;  S = Theta(H - V_th);  V = (1 - S) H + S V_reset

    alpha, beta and V_th are each an ``nn.Parameter``. Training may move alpha out of [0, 1]; the
    nearest bound is used then, and alpha has no gradient. The defaults begin as LIF with tau = 2.

    Args:
        alpha: factor that V keeps per step, to start from, in [0, 1]; a nested list or tensor that
            broadcasts against [N, *] gives one per channel or neuron.
        beta: factor of the input to start from, likewise.
        v_threshold: threshold V_th to start from, likewise.
        v_reset: reset value; None for soft reset V = H - S V_th.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; state v [N, *], float32.
    Raises: ValueError if alpha leaves [0, 1]; StateError when the held state does not fit the
        input.
    Example:
        >>> [name for name, _ in GeneralLinear().named_parameters()]
        ['alpha', 'beta', 'v_threshold']

    Source: SpikingJelly (Science Advances 2023), Eq. 39 and Fig. 15.
    """

    alpha: Tensor
    beta: Tensor

    def __init__(
        self,
        alpha: Annotated[Numeric, Ge(0), Le(1)] = 0.5,
        *,
        beta: Numeric = 0.5,
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
        self.set_numeric("alpha", alpha)
        self.set_numeric("beta", beta)
        self.make_learnable(["alpha", "beta", "v_threshold"])

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        return torch.clamp(self.alpha, 0.0, 1.0) * v + self.beta * x
