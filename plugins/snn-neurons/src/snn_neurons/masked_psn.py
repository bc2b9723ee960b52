"""The parallel spiking neuron whose look into past and future narrows to the last inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn
from torch.nn import functional

from snn_neurons.clock import rows
from snn_neurons.psn import time_weight
from snn_neurons.window import Window
from snncore.errors import NotSupported
from snncore.state.unroll import Given
from snncore.step import StepMode, locate
from snncore.surrogate import Surrogate


class MaskedPSN(Window):
    """Parallel spiking neuron with a mask that closes during training.

    W' = (lambda M + 1 - lambda) W,  M[i, j] = 1 for i - k + 1 <= j <= i, else 0;
    H = W' X + b;  S = Theta(H)

    With lambda = 1 a step looks at its last k inputs, and the neuron runs step by step or in any
    chunks, up to T steps after a reset. Below, a step sees later ones, and only whole sequences
    of T steps in step mode "m" can be run. Raise ``net.lambda_`` from 0 to 1 while it trains.

    Args:
        T: number of time steps, >= 1.
        k: how many inputs a step looks at in the end, >= 1.
        lambda_: how far the mask is closed, in [0, 1].
        surrogate: spike function.
        step_mode: "s" or "m".
    Shape: x [N, *] or [T, N, *]; spikes like x; weight W [T, T], bias b [T, 1], which starts at
        -1; states queue [N, k-1, *] and clock, float32.
    Raises: ValueError if T or k < 1 or lambda leaves [0, 1]; NotSupported for less than whole
        sequences with lambda < 1; StateError after more than T steps.
    Example:
        >>> net = MaskedPSN(4, 2, lambda_=1.0)
        >>> [tuple(net(x).shape) for x in torch.rand(4, 2, 3)]
        [(2, 3), (2, 3), (2, 3), (2, 3)]

    Source: Fang et al., Parallel spiking neurons with high efficiency and ability to learn
        long-term dependencies, NeurIPS 2023.
    """

    states: ClassVar[Mapping[str, float]] = {"queue": 0.0, "clock": 0.0}
    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": ({"T": 12, "k": 3, "lambda_": 1.0}, {"T": 12, "k": 20, "lambda_": 1.0}),
        "gain": 6.0,
    }

    def __init__(
        self,
        T: Annotated[int, Gt(0)],
        k: Annotated[int, Gt(0)],
        *,
        lambda_: Annotated[float, Ge(0), Le(1)] = 0.0,
        surrogate: Surrogate | str | dict[str, Any] = "atan",
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__(k=k, surrogate=surrogate, step_mode=step_mode)
        if T < 1:
            raise ValueError(f"MaskedPSN: T must be >= 1, got {T}")
        self.T = T
        self.lambda_ = lambda_
        self.weight = time_weight(T)
        self.bias = nn.Parameter(torch.full((T, 1), -1.0))

    @property
    def lambda_(self) -> float:
        """How far the mask is closed, in [0, 1]; assign to it while training."""
        return self._lambda

    @lambda_.setter
    def lambda_(self, value: float) -> None:
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"MaskedPSN: lambda_ must lie in [0, 1], got {value:g}")
        self._lambda = float(value)

    def state_like(self, name: str, *inputs: Given) -> tuple[torch.Size, torch.dtype]:
        """The clock is one number."""
        shape, dtype = super().state_like(name, *inputs)
        return torch.Size(()) if name == "clock" else shape, dtype

    def masked_weight(self) -> Tensor:
        """W', [T, T]."""
        step = torch.arange(self.T, device=self.weight.device)
        age = step.unsqueeze(1) - step
        band = ((age >= 0) & (age < self.k)).to(self.weight.dtype)
        return (self.lambda_ * band + (1.0 - self.lambda_)) * self.weight

    def weigh(self, x: Tensor, steps: int, states: tuple[Tensor, ...]) -> Tensor:
        weight, bias = self.masked_weight().to(x), self.bias.to(x)
        past, clock = self.k - 1, states[1]
        if self.lambda_ < 1.0:
            whole = self.step_mode == "m" and steps == self.T
            if not whole or (not clock.is_meta and bool(clock != 0)):
                raise NotSupported(
                    f"{locate(self)} has lambda_ = {self.lambda_:g}, where a step sees later ones: "
                    f"it runs whole sequences of T = {self.T} steps in step mode 'm' after a "
                    "reset. Set lambda_ = 1 for single steps and chunks."
                )
            return torch.addmm(bias, weight, x[past:])
        bias = rows(self, bias, clock, steps)
        weight = rows(self, functional.pad(weight, (past, 0)), clock, steps)
        places = clock.long() + torch.arange(past + steps, device=x.device)
        return torch.addmm(bias, weight.index_select(1, places), x)
