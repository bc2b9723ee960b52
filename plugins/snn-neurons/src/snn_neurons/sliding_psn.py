"""The parallel spiking neuron with one window of weights for all steps."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snn_neurons.window import Window
from snncore.step import StepMode
from snncore.surrogate import Surrogate

# So many steps as one matrix product; the work grows linearly beyond.
_BLOCK = 64


class SlidingPSN(Window):
    """Parallel spiking neuron that weighs its last k inputs, the same way at every step.

    H[t] = sum_{j=0}^{k-1} w[k-1-j] X[t-j] + b,  X[t < 0] = 0;  S = Theta(H)

    w starts at w[k-1] = 1 for the newest input and halves with each step back; b starts at -1.
    Any number of steps can be run, at once, one by one, or in chunks.

    Args:
        k: how many inputs a step looks at, >= 1.
        surrogate: spike function.
        step_mode: "s" or "m".
    Shape: x [N, *] or [T, N, *]; spikes like x; weight w [k], bias b a scalar; state queue
        [N, k-1, *], float32.
    Raises: ValueError if k < 1; StateError when the held state does not fit the input.
    Example:
        >>> x = torch.tensor([0.8, 0.3, 0.8, 0.7]).view(4, 1, 1)
        >>> SlidingPSN(2, step_mode="m")(x).flatten().tolist()  # from 0.8, 0.7, 0.95 and 1.1
        [0.0, 0.0, 0.0, 1.0]

    Source: Fang et al., Parallel spiking neurons with high efficiency and ability to learn
        long-term dependencies, NeurIPS 2023.
    """

    def __init__(
        self,
        k: Annotated[int, Gt(0)] = 2,
        *,
        surrogate: Surrogate | str | dict[str, Any] = "atan",
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__(k=k, surrogate=surrogate, step_mode=step_mode)
        self.weight = nn.Parameter(0.5 ** torch.arange(k - 1, -1, -1, dtype=torch.float32))
        self.bias = nn.Parameter(torch.tensor(-1.0))

    def weigh(self, x: Tensor, steps: int, states: tuple[Tensor, ...]) -> Tensor:
        weight, past = self.weight.to(x), self.k - 1
        count = min(steps, _BLOCK)
        step = torch.arange(count, device=x.device).unsqueeze(1)
        place = torch.arange(count + past, device=x.device) - step
        inside = (place >= 0) & (place < self.k)
        band = torch.where(inside, weight[place.clamp(0, past)], 0.0)
        parts = [x[:0]]
        for start in range(0, steps, _BLOCK):
            count = min(_BLOCK, steps - start)
            parts.append(band[:count, : count + past] @ x[start : start + count + past])
        return torch.cat(parts) + self.bias.to(x)
