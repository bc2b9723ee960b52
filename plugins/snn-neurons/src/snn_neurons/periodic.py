"""Periodic encoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor, nn


class Periodic(nn.Module):
    """Replays a given sequence again and again.

    S[t] = x[t mod P], P the length of x

    Args:
        T: number of time steps, >= 1; below P the replay ends early.
    Shape: x [P, N, *], any sequence with P >= 1; output [T, N, *] in the dtype of x.
    Raises: ValueError for an empty sequence.
    Example:
        >>> Periodic(5)(torch.tensor([[1.0], [0.0]])).flatten().tolist()
        [1.0, 0.0, 1.0, 0.0, 1.0]

    Source: SpikingJelly (Science Advances 2023).
    """

    conformance: ClassVar[Mapping[str, Any]] = {"sequence": True, "spike_values": None}

    def __init__(self, T: Annotated[int, Gt(0)]) -> None:
        super().__init__()
        self.T = T

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 0 or x.shape[0] == 0:
            raise ValueError(
                f"Periodic replays a sequence [P, N, *] with P >= 1, got shape {list(x.shape)}"
            )
        return x[torch.arange(self.T, device=x.device) % x.shape[0]]
