"""The parallel spiking neuron."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snncore.state.unroll import arithmetic
from snncore.step import MultiStepModule, locate
from snncore.surrogate import Surrogate, as_surrogate


def time_weight(steps: int) -> nn.Parameter:
    """A learnable weight [T, T] between steps, uniform as that of ``nn.Linear``."""
    weight = nn.Parameter(torch.empty(steps, steps))
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
    return weight


class PSN(MultiStepModule):
    """Parallel spiking neuron: each step looks at all steps, and none waits for another.

    H = W X + b;  S = Theta(H)

    There is no reset and no state, and torch runs all steps as one matrix product. As a step
    sees later ones, it takes whole sequences of T steps only.

    Args:
        T: number of time steps, >= 1.
        surrogate: spike function.
        step_mode: "m".
    Shape: x [T, N, *]; spikes like x; weight W [T, T], bias b [T, 1], which starts at -1.
    Raises: ValueError if T < 1 or for a sequence of another length; StepModeError for step mode
        "s".
    Example:
        >>> PSN(4)(torch.rand(4, 2, 3)).shape
        torch.Size([4, 2, 3])

    Source: Fang et al., Parallel spiking neurons with high efficiency and ability to learn
        long-term dependencies, NeurIPS 2023.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": ({"T": 6},),
        "any_length": False,
        "exact_modes": False,
        "reason": "each step looks at all T steps",
    }

    def __init__(
        self,
        T: Annotated[int, Gt(0)],
        *,
        surrogate: Surrogate | str | dict[str, Any] = "atan",
        step_mode: Literal["m"] = "m",
    ) -> None:
        super().__init__()
        if T < 1:
            raise ValueError(f"PSN: T must be >= 1, got {T}")
        self.T = T
        self.surrogate = as_surrogate(surrogate)
        self.step_mode = step_mode
        self.weight = time_weight(T)
        self.bias = nn.Parameter(torch.full((T, 1), -1.0))

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() < 2 or x.shape[0] != self.T:
            raise ValueError(
                f"{locate(self)} takes sequences of T = {self.T} steps, [T, N, *], got "
                f"{list(x.shape)}; for any length take sliding_psn"
            )
        wide = arithmetic(x.dtype)
        weight, bias = self.weight.to(wide), self.bias.to(wide)
        h = torch.addmm(bias, weight, x.to(wide).flatten(1)).view(x.shape)
        return self.surrogate(h).to(x.dtype)
