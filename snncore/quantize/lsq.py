"""Learned step size quantisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from snncore.quantize.bits import MOST_BITS
from snncore.quantize.channel import per_channel, rows, spread
from snncore.quantize.estimator import straight_through
from snncore.quantize.fitted import Fitted
from snncore.quantize.quantizer import Grid


class LSQ(Fitted):
    """b bits on an even grid whose step size is learnt with the weights.

    c = round(clamp(x / s, -Q_n, Q_p));  Q(x) = c s;  dQ/dx = 1 for -Q_n <= x / s <= Q_p, else 0;
    dQ/ds = g (c - x / s) within, g c outside;  g = 1 / sqrt(N Q_p)

    N counts the values that share a step size. s starts at 2 mean|x| / sqrt(Q_p) of the first
    tensor, so distribute a network over processes after that. Q_n = 2^(b-1), Q_p = 2^(b-1) - 1;
    unsigned 0 and 2^b - 1.

    Args:
        bits: b, from 1 (2 where signed) to 24.
        signed: for weights; False for activations that are never negative.
        init_scale: s to start from, > 0; None takes it from the first tensor.
        values: N, >= 1; None takes that of the first tensor, which for activations counts the
            whole batch where the paper counts one sample.
        channels: how many step sizes there are; None for one.
        channel_axis: the axis they run along.
    Shape: any that has the channels, output like input; the parameter ``scale`` [] or [channels].
    Raises: ValueError if bits, channels or init_scale is out of range, or x has other channels.
    Example:
        >>> lsq = LSQ(3)
        >>> y = lsq(torch.tensor([-1.0, 1.0, 1.0, 3.0]))
        >>> round(lsq.scale.item(), 4)  # 2 * 1.5 / sqrt(3)
        1.7321

    Source: Esser et al., Learned step size quantization, ICLR 2020, Eq. 1-3 and Sections 2.1-2.2.
    """

    conformance: ClassVar[dict[str, object]] = {
        "variants": ({}, {"bits": 2}, {"signed": False}, {"channels": 3, "init_scale": [0.1] * 3}),
    }

    def __init__(
        self,
        bits: Annotated[int, Ge(1), Le(MOST_BITS)] = 4,
        *,
        signed: bool = True,
        init_scale: float | Sequence[float] | None = None,
        values: Annotated[int, Ge(1)] | None = None,
        channels: Annotated[int, Ge(1)] | None = None,
        channel_axis: int = 0,
    ) -> None:
        super().__init__(bits, signed, channels, channel_axis)
        start = torch.ones(per_channel(channels))
        if init_scale is not None:
            given = torch.as_tensor(init_scale, dtype=start.dtype)
            if (given.dim() and given.shape != start.shape) or not (given > 0).all():
                raise ValueError(
                    f"LSQ: init_scale must be > 0, one number or one per channel, got {init_scale}"
                )
            start = start * given
        if values is not None and values < 1:
            raise ValueError(f"LSQ: values must be >= 1, got {values}")
        self.scale = nn.Parameter(start)
        self.values = values
        self._started = init_scale is not None
        self.ready = self._started and values is not None

    @property
    def init_scale(self) -> Tensor | None:
        """The step size now; None while there is none."""
        return self.scale.detach() if self._started else None

    def due(self) -> bool:
        """Until step size and N are there."""
        return not (self.ready or self.frozen)

    def fit(self, x: Tensor) -> None:
        """N, and s = 2 mean|x| / sqrt(Q_p) unless given; where all values are 0, s = 1."""
        table = rows(x, self.channels, self.channel_axis)
        self.values = self.values or table.shape[1]
        if not self._started:
            size = 2.0 * table.abs().mean(1) / math.sqrt(self.code_range[1])
            self.scale.copy_(torch.where(size > 0, size, 1.0).reshape(self.scale.shape))
            self._started = True

    def grid(self, like: Tensor) -> Grid:
        """The step size, its gradient scaled by g."""
        scaled = self.scale * (1.0 / math.sqrt((self.values or 1) * self.code_range[1]))
        return spread(straight_through(self.scale, scaled), like, self.channel_axis), 0.0

    def get_extra_state(self) -> dict[str, Any]:
        """N too."""
        return {**super().get_extra_state(), "values": self.values}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes it back."""
        super().set_extra_state(state)
        self.values = state["values"]
        self._started = self._started or self.ready
