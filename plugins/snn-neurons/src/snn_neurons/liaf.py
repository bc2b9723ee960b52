"""The leaky integrate-and-analog-fire neuron: it spikes for itself and hands on a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import torch
from annotated_types import Gt
from torch import Tensor
from torch.nn import functional

from snn_neurons.lif import LIF
from snncore.config import Numeric
from snncore.step import StepMode
from snncore.surrogate import Surrogate

Activation: TypeAlias = Literal[
    "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "sigmoid", "tanh", "identity"
]
"""An analogue output as a function of the potential."""


def _identity(h: Tensor) -> Tensor:
    return h


_ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "selu": functional.selu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "identity": _identity,
}


class LIAF(LIF):
    """Leaky integrate-and-fire neuron that gives an activation of H; its spikes only reset it.

    H = V + (X - (V - V_r)) / tau  (``decay_input``)  or  V - (V - V_r) / tau + X;
    Y = act(H)  or  act(H - V_th)  (``threshold_related``);
    S = Theta(H - V_th);  V = (1 - S) H + S V_r

    Args:
        tau: membrane time constant in steps, > 1.
        act: the activation, as torch.nn has it with its defaults.
        threshold_related: whether the activation is of H - V_th.
        v_threshold: threshold V_th.
        v_reset: reset and resting value V_r; None for soft reset V = H - S V_th with V_r = 0.
        decay_input: whether the input is divided by tau as well.
        detach_reset: cut the gradient through S; none but the reset uses it.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; Y like x; state v [N, *], float32.
    Raises: ValueError if tau <= 1 or act is unknown; StateError when the held state does not fit
        the input.
    Example:
        >>> LIAF(step_mode="m")(torch.tensor([1.0, 2.0, -1.0]).view(3, 1, 1)).flatten().tolist()
        [0.5, 1.25, 0.0]

    Source: Wu et al., LIAF-Net: Leaky integrate and analog fire network for lightweight and
        efficient spatiotemporal information processing, IEEE Transactions on Neural Networks and
        Learning Systems 2021.
    """

    conformance: ClassVar[Mapping[str, Any]] = {"spike_values": None}

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        act: Activation = "relu",
        threshold_related: bool = False,
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
        if act not in _ACTIVATIONS:
            raise ValueError(f"LIAF: act must be one of {', '.join(_ACTIVATIONS)}, got {act!r}")
        self.act: Activation = act
        self.threshold_related = threshold_related

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v) -> (y, v)``."""
        x, v = args
        h = self.charge(x, v)
        y = _ACTIVATIONS[self.act](h - self.v_threshold if self.threshold_related else h)
        return y, self.reset(h, self.fire(h))
