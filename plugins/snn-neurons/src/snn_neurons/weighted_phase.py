"""Weighted-phase encoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snn_neurons.unit_range import check_range


class WeightedPhase(nn.Module):
    """The binary digits of the value, one phase each, most significant first.

    S[k] = 1[x >= 2^-k];  x <- x - 2^-k S[k],  k = 1 ... K; then the K phases begin again

    The sum of 2^-k S[k] over one period is x, cut after K digits.

    Args:
        T: number of time steps, >= 1.
        K: phases of a period, >= 1; None for T.
    Shape: x [N, *] in [0, 1 - 2^-K]; output [T, N, *] of zeros and ones in the dtype of x.
    Raises: ValueError naming the range found, when x leaves [0, 1 - 2^-K], or if K < 1.
    Example:
        >>> WeightedPhase(4)(torch.tensor([0.75, 0.0625])).T.tolist()
        [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]

    Source: Kim et al., Deep neural networks with weighted spikes, Neurocomputing 2018.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": [{"K": 4}],
        "limits": (0.0, 1.0 - 2.0**-4),
    }

    def __init__(self, T: Annotated[int, Gt(0)], *, K: Annotated[int, Gt(0)] | None = None) -> None:
        super().__init__()
        if K is not None and K < 1:
            raise ValueError(f"WeightedPhase: K must be >= 1, got {K}")
        self.T = T
        self.K = K

    def forward(self, x: Tensor) -> Tensor:
        period = self.T if self.K is None else self.K
        cure = f"scale it, for example by {1.0 - 2.0**-period:.9g}: K = {period} digits end there"
        check_range("WeightedPhase", x, 0.0, 1.0 - 2.0**-period, cure)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        phase = torch.arange(self.T, device=x.device) % period + 1
        scale = torch.exp2(phase.to(wide.dtype)).reshape(-1, *[1] * x.dim())
        # Powers of two scale without rounding, so the last digit before the point is exact.
        return torch.fmod((wide * scale).floor(), 2.0).to(x.dtype)
