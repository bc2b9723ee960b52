"""Constant-current encoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from torch import Tensor, nn


class ConstantCurrent(nn.Module):
    """Feeds the value itself at every time step; the first neurons turn it into spikes.

    S[t] = x

    Args:
        T: number of time steps, >= 1.
    Shape: x [N, *] any real values; output [T, N, *], a view without copy.
    Example:
        >>> ConstantCurrent(4)(torch.rand(2, 3)).shape
        torch.Size([4, 2, 3])

    Source: direct encoding, Rueckauer et al., Frontiers in Neuroscience 2017.
    """

    conformance: ClassVar[Mapping[str, Any]] = {"spike_values": None}

    def __init__(self, T: Annotated[int, Gt(0)]) -> None:
        super().__init__()
        self.T = T

    def forward(self, x: Tensor) -> Tensor:
        return x.unsqueeze(0).expand(self.T, *x.shape)
