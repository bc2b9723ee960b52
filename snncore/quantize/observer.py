"""Observers: the range of the values that pass."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from annotated_types import Gt, Le
from torch import Tensor, nn

from snncore.quantize.channel import per_channel, rows


class Observer(nn.Module):
    """Keeps the range of the values it is shown, one for all or one per channel.

    Args:
        channels: how many ranges there are; None for one.
        channel_axis: the axis they run along.
    Shape: any that has the channels; ``low`` and ``high`` [] or [channels], infinite at first.
    """

    low: Tensor
    high: Tensor

    def __init__(self, channels: int | None = None, channel_axis: int = 0) -> None:
        super().__init__()
        self.channels, self.channel_axis = channels, channel_axis
        shape = per_channel(channels)
        self.register_buffer("low", torch.full(shape, math.inf))
        self.register_buffer("high", torch.full(shape, -math.inf))

    def observe(self, low: Tensor, high: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        """The new range from that of a tensor, and its values ``[channels or 1, values]``."""
        raise TypeError(f"{type(self).__name__} must define observe(low, high, table)")

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Looks at x and gives it back; an empty tensor changes nothing."""
        if x.numel():
            table = rows(x.detach(), self.channels, self.channel_axis).to(self.low.dtype)
            low, high = (edge.reshape(self.low.shape) for edge in table.aminmax(dim=1))
            low, high = self.observe(low, high, table)
            self.low.copy_(low)
            self.high.copy_(high)
        return x

    def reset(self) -> None:
        """Forgets all values."""
        self.low.fill_(math.inf)
        self.high.fill_(-math.inf)


class MinMax(Observer):
    """The least and the greatest value ever seen.

    low = min(low, min x);  high = max(high, max x)

    Args:
        channels: how many ranges there are; None for one.
        channel_axis: the axis they run along.
    Example:
        >>> observer = MinMax()
        >>> _ = observer(torch.tensor([1.0, 2.0])), observer(torch.tensor([-3.0]))
        >>> observer.low.item(), observer.high.item()
        (-3.0, 2.0)

    Source: Jacob et al., CVPR 2018, Section 3: ranges of weights.
    """

    def observe(self, low: Tensor, high: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        return torch.minimum(self.low, low), torch.maximum(self.high, high)


class MovingAverageMinMax(Observer):
    """Exponential averages of the least and the greatest value of each tensor.

    low += m (min x - low);  high += m (max x - high); the first tensor sets them

    Args:
        channels: how many ranges there are; None for one.
        channel_axis: the axis they run along.
        momentum: m in (0, 1]; 1 keeps the range of the last tensor.
    Raises: ValueError if momentum is out of range.
    Example:
        >>> observer = MovingAverageMinMax(momentum=0.5)
        >>> _ = observer(torch.tensor([0.0, 2.0])), observer(torch.tensor([-1.0, 4.0]))
        >>> observer.low.item(), observer.high.item()
        (-0.5, 3.0)

    Source: Jacob et al., CVPR 2018, Section 3: ranges of activations.
    """

    def __init__(
        self,
        channels: int | None = None,
        channel_axis: int = 0,
        *,
        momentum: Annotated[float, Gt(0), Le(1)] = 0.1,
    ) -> None:
        super().__init__(channels, channel_axis)
        if not 0 < momentum <= 1:
            raise ValueError(
                f"MovingAverageMinMax: momentum must be > 0 and <= 1, got {momentum:g}"
            )
        self.momentum = momentum

    def observe(self, low: Tensor, high: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        return self._moved(self.low, low), self._moved(self.high, high)

    def _moved(self, old: Tensor, new: Tensor) -> Tensor:
        if self.momentum == 1:
            return new
        return torch.where(old.isinf(), new, old + self.momentum * (new - old))
