"""Attention over time, channels and places, one after another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snn_neurons.layers.gate import Gate
from snn_neurons.layers.temporal_attention import TemporalAttention
from snncore.step import MultiStepModule, locate


class MultiDimensionalAttention(MultiStepModule):
    """Weighs time steps, then channels, then places of a sequence, and rectifies.

    X <- score_T X, one score per step;  X <- score_C X, one per channel, summarised over time and
    place;  X <- score_S X, one per place, score_S = sigma(conv([mean X; max X])) summarised over
    time and channels;  Y = ReLU(X).  score_T and score_C as in :class:`TemporalAttention`

    Args:
        T: number of time steps.
        C: number of channels.
        reduction_t: r of the scores of time steps, from 1 to T.
        reduction_c: r of the scores of channels, from 1 to C.
        kernel_size: of the convolution over places, odd.
    Shape: x [T, N, C, H, W]; output like x.
    Raises: ValueError for a reduction that leaves no hidden unit, an even kernel, or an input of
        another length or other channels.
    Example:
        >>> net = MultiDimensionalAttention(4, 2, reduction_t=2, reduction_c=1)
        >>> net(torch.rand(4, 3, 2, 5, 5)).shape
        torch.Size([4, 3, 2, 5, 5])

    Source: Yao et al., Attention spiking neural networks, IEEE TPAMI 2023.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": ({"T": 6, "C": 4, "reduction_t": 2, "reduction_c": 2},),
        "shape": (4, 3, 5),
        "steps": 6,
        "any_length": False,
        "reason": "a score depends on all T steps, so it needs them at once",
    }

    def __init__(
        self,
        T: Annotated[int, Gt(0)],
        C: Annotated[int, Gt(0)],
        *,
        reduction_t: Annotated[int, Gt(0)] = 16,
        reduction_c: Annotated[int, Gt(0)] = 16,
        kernel_size: Annotated[int, Gt(0)] = 3,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(
                f"MultiDimensionalAttention: kernel_size must be odd, got {kernel_size}"
            )
        self.T = T
        self.C = C
        self.reduction_t = reduction_t
        self.reduction_c = reduction_c
        self.kernel_size = kernel_size
        self.temporal = TemporalAttention(T, reduction=reduction_t)
        self.channel = Gate(C, reduction_c, "C")
        self.spatial = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``[T, N, C, H, W] -> [T, N, C, H, W]``."""
        if x.dim() != 5 or x.shape[2] != self.C:
            raise ValueError(
                f"{locate(self)} takes [{self.T}, N, {self.C}, H, W], got {list(x.shape)}"
            )
        x = self.temporal(x)
        x = x * self.channel(x.mean((0, 3, 4)), x.amax((0, 3, 4)))[..., None, None]
        places = torch.stack((x.mean((0, 2)), x.amax((0, 2))), 1)
        return (x * self.spatial(places).sigmoid().unsqueeze(0)).relu()
