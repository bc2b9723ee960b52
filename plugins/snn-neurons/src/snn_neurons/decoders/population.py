"""Population decoding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snn_neurons.decoders.rate import RateDecoder
from snn_neurons.receptive_field import centres
from snncore.step import StepMode, StepModule


def _spikes(size: tuple[int, int], generator: torch.Generator) -> Tensor:
    return (torch.rand((*size, 2, 4), generator=generator) < 0.5).float()


_FEED: Callable[..., Tensor] = _spikes


class PopulationDecoder(StepModule):
    """The value that a population votes for: preferred values weighted by firing rates.

    y[t] = sum_i r_i[t] mu_i / sum_i r_i[t], r the rates so far; the mean of mu while all are silent

    The last step's is the value of the whole sequence. It decodes ``population`` of the same
    ``pop_dim``, ``low`` and ``high``. x, and mu, receive their gradients.

    Args:
        pop_dim: neurons for each value, >= 2.
        features: size of the axis before the last of x, for a mu of its own for each; None shares.
        low: where the first mu starts; the others are spaced evenly.
        high: where the last mu starts.
        step_mode: "s" or "m".
    Shape: x [N, *, pop_dim] or [T, N, *, pop_dim]; output without the last axis.
    Raises: ValueError if pop_dim < 2, low >= high, or x has another last axis; StateError when the
        held state does not fit the input.
    Example:
        >>> decoder = PopulationDecoder(3, low=-1.0, high=1.0, step_mode="m")
        >>> decoder(torch.tensor([[[0.0, 1.0, 1.0]]])).item()
        0.5

    Source: Georgopoulos et al., Neuronal population coding of movement direction, Science 1986.
    """

    conformance: ClassVar[Mapping[str, Any]] = {"variants": [{"pop_dim": 4}], "feed": _FEED}

    def __init__(
        self,
        pop_dim: Annotated[int, Gt(1)] = 10,
        *,
        features: Annotated[int, Gt(0)] | None = None,
        low: float = -3.0,
        high: float = 3.0,
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__()
        if pop_dim < 2:
            raise ValueError(f"PopulationDecoder: pop_dim must be >= 2, got {pop_dim}")
        if not low < high:
            raise ValueError(f"PopulationDecoder: low must be < high, got {low:g} and {high:g}")
        self.pop_dim = pop_dim
        self.features = features
        self.low = low
        self.high = high
        self.mu = nn.Parameter(centres(low, high, pop_dim, features))
        self.rate = RateDecoder(step_mode=step_mode)
        self.step_mode = step_mode

    def forward(self, x: Tensor) -> Tensor:
        """``[N, *, pop_dim] -> [N, *]``, or with time before."""
        wanted = self.mu.shape
        if x.shape[-len(wanted) :] != wanted:
            raise ValueError(
                f"PopulationDecoder takes [N, *, {', '.join(map(str, wanted))}], "
                f"got {list(x.shape)}"
            )
        rates = self.rate(x)
        total = rates.sum(-1)
        loud = total > 0
        value = (rates * self.mu).sum(-1) / torch.where(loud, total, 1.0)
        return torch.where(loud, value, self.mu.mean(-1)).to(x.dtype)
