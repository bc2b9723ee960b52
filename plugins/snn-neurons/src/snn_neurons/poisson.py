"""Poisson rate encoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from torch import Tensor, nn

from snn_neurons.chance import fires
from snn_neurons.draws import Draws
from snn_neurons.unit_range import check_unit_range


class Poisson(nn.Module):
    """Random spikes whose probability per step is the value.

    S[t] = 1[r <= x], r uniform in [0, 1), drawn anew at every step and element

    Args:
        T: number of time steps, >= 1.
        seed: draws come from a generator of this encoder with this seed; None takes torch's own.
    Shape: x [N, *] in [0, 1]; output [T, N, *] of zeros and ones in the dtype of x.
    Raises: ValueError naming the range found, when x leaves [0, 1].
    Example:
        >>> Poisson(4)(torch.ones(2, 3)).sum().item()
        24.0

    Source: SpikingJelly (Science Advances 2023), Eq. 10-11.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "limits": (0.0, 1.0),
        "deterministic": False,
        "reason": "spikes are drawn, with the value as probability",
    }

    def __init__(self, T: Annotated[int, Gt(0)], *, seed: int | None = None) -> None:
        super().__init__()
        self.T = T
        self.seed = seed
        self.draws = Draws(seed)

    def forward(self, x: Tensor) -> Tensor:
        check_unit_range("Poisson", x)
        with self.draws.generator(x.device) as generator:
            return fires(x.expand(self.T, *x.shape), generator)
