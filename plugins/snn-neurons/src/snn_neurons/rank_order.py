"""Rank-order encoding."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt
from torch import Tensor, nn

from snn_neurons.latency import at_its_time


class RankOrder(nn.Module):
    """One spike per element in the order of the values, the largest first.

    t_f = floor(rank / per_step), rank 0 for the largest of a sample

    Only the order counts, not how far the values lie apart. Of equal values the one that comes
    first in memory fires first. Elements whose time is T or later stay silent.

    Args:
        T: number of time steps, >= 1.
        per_step: how many elements of a sample fire in one step, >= 1.
    Shape: x [N, *] any real values; output [T, N, *] of zeros and ones in the dtype of x.
    Raises: ValueError for NaN, which has no rank, or if per_step < 1.
    Example:
        >>> RankOrder(2)(torch.tensor([[0.2, 0.9, 0.5]])).tolist()
        [[[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]]]

    Source: Thorpe and Gautrais, Rank order coding, Computational Neuroscience: Trends in Research
        1998.
    """

    def __init__(self, T: Annotated[int, Gt(0)], *, per_step: Annotated[int, Gt(0)] = 1) -> None:
        super().__init__()
        if per_step < 1:
            raise ValueError(f"RankOrder: per_step must be >= 1, got {per_step}")
        self.T = T
        self.per_step = per_step

    def forward(self, x: Tensor) -> Tensor:
        if bool((x != x).any()):
            raise ValueError(
                "RankOrder orders values, got NaN, which has no rank; replace it, for example "
                "with x.nan_to_num()"
            )
        samples = x.detach().reshape(x.shape[0], x.shape[1:].numel())
        order = samples.argsort(dim=1, descending=True, stable=True)
        # The rank of an element is its place in the order: the inverse permutation.
        rank = order.argsort(dim=1).reshape(x.shape)
        time = (rank // self.per_step).float()
        spikes, _ = at_its_time(time.expand(self.T, *time.shape))
        return spikes.to(x.dtype)
