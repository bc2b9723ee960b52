"""The observer of percentiles: a streaming histogram."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt, Le
from torch import Tensor

from snncore.quantize.observer import Observer

_HALF = 2048


class Percentile(Observer):
    """The range that leaves out the same share of values at either end.

    low and high are the (100 - p)-th and p-th percentile of all values seen, by a histogram of
    4096 even bins over [-R, R]. R is a power of two that doubles, pairs of bins becoming one,
    until it holds every value; no value is dropped or counted twice. The range never falls short
    of the exact one, and exceeds it by less than one bin, R / 2048 <= max|x| / 1024.

    Args:
        channels: how many ranges there are; None for one.
        channel_axis: the axis they run along.
        percentile: p in (50, 100].
    Raises: ValueError if percentile is out of range, or a value is not finite.
    Example:
        >>> observer = Percentile(percentile=90.0)
        >>> x = observer(torch.linspace(0.0, 1.0, 1001))
        >>> round(observer.low.item(), 2), round(observer.high.item(), 2)
        (0.1, 0.9)

    Source: Wu et al., Integer quantization for deep learning inference: principles and empirical
        evaluation, arXiv:2004.09602 (2020), Section 3.3.
    """

    counts: Tensor
    reach: Tensor

    def __init__(
        self,
        channels: int | None = None,
        channel_axis: int = 0,
        *,
        percentile: Annotated[float, Gt(50), Le(100)] = 99.9,
    ) -> None:
        super().__init__(channels, channel_axis)
        if not 50 < percentile <= 100:
            raise ValueError(f"Percentile: percentile must be > 50 and <= 100, got {percentile:g}")
        self.percentile = percentile
        rows = channels or 1
        self.register_buffer("counts", torch.zeros(rows, 2 * _HALF, dtype=torch.int64))
        self.register_buffer("reach", torch.zeros(rows, 1, dtype=torch.float64))

    def observe(self, low: Tensor, high: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        if not (low.isfinite().all() and high.isfinite().all()):
            raise ValueError(
                "Percentile saw a value that is infinite or no number; look at what comes before"
            )
        values = table.double()
        self._widen(values.abs().amax(1, keepdim=True))
        # Where all values are 0 any reach does.
        reach = torch.where(self.reach == 0, 1.0, self.reach)
        places = (values / reach * _HALF).floor().long() + _HALF
        self.counts.scatter_add_(1, places.clamp(max=2 * _HALF - 1), torch.ones_like(places))
        share = self.counts.cumsum(1).double() / self.counts.sum(1, keepdim=True)
        kept = self.percentile / 100.0
        below = (share <= 1.0 - kept).sum(1, keepdim=True)
        until = (share < kept).sum(1, keepdim=True) + 1
        lows, highs = ((edge - _HALF) * reach / _HALF for edge in (below, until))
        return lows.to(low.dtype).reshape(low.shape), highs.to(high.dtype).reshape(high.shape)

    def _widen(self, peak: Tensor) -> None:
        """Doubles each channel's reach until it holds its peak ``[channels or 1, 1]``."""
        _, exponent = torch.frexp(peak)
        wanted = torch.where(peak > 0, torch.ldexp(torch.ones_like(peak), exponent), 0.0)
        # Zeros counted before there is a reach lie in the right bin for any.
        self.reach.copy_(torch.where(self.reach == 0, wanted, self.reach))
        while (short := self.reach < wanted).any():
            pairs = self.counts.unflatten(1, (_HALF, 2)).sum(2)
            wide = torch.nn.functional.pad(pairs, (_HALF // 2, _HALF // 2))
            self.counts.copy_(torch.where(short, wide, self.counts))
            self.reach.copy_(torch.where(short, 2.0 * self.reach, self.reach))

    def reset(self) -> None:
        """Forgets all values."""
        super().reset()
        self.counts.zero_()
        self.reach.zero_()
