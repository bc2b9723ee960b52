"""Temporal-wise attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from torch import Tensor

from snn_neurons.layers.gate import Gate
from snncore.step import MultiStepModule, locate


class TemporalAttention(MultiStepModule):
    """Weighs the time steps of a sequence, of each sample by itself.

    score = sigma(MLP(mean x) + MLP(max x)) over all but time and batch, MLP: T -> T/r -> T with
    ReLU, without bias;  Y[t] = score[t] X[t]

    Args:
        T: number of time steps.
        reduction: r, from 1 to T.
    Shape: x [T, N, *] with at least one axis after N; output like x.
    Raises: ValueError for a reduction that leaves no hidden unit, or an input of another length.
    Example:
        >>> TemporalAttention(4, reduction=2)(torch.rand(4, 3, 2, 5, 5)).shape
        torch.Size([4, 3, 2, 5, 5])

    Source: Yao et al., Temporal-wise attention spiking neural networks for event streams
        classification, ICCV 2021.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": ({"T": 6, "reduction": 2},),
        "steps": 6,
        "any_length": False,
        "reason": "a score depends on all T steps, so it needs them at once",
    }

    def __init__(self, T: Annotated[int, Gt(0)], *, reduction: Annotated[int, Gt(0)] = 16) -> None:
        super().__init__()
        self.T = T
        self.reduction = reduction
        self.gate = Gate(T, reduction, "T")

    def forward(self, x: Tensor) -> Tensor:
        """``[T, N, *] -> [T, N, *]``."""
        if x.dim() < 3 or x.shape[0] != self.T:
            raise ValueError(
                f"{locate(self)} weighs T = {self.T} time steps and takes [{self.T}, N, *] with "
                f"an axis after N, got {list(x.shape)}"
            )
        rest = tuple(range(2, x.dim()))
        score = self.gate(x.mean(rest).T, x.amax(rest).T).T
        return x * score.view(*score.shape, *(1,) * len(rest))
