"""Fake quantisation: a scale from the range of what passes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from snncore.quantize.bits import MOST_BITS
from snncore.quantize.channel import per_channel, spread
from snncore.quantize.fitted import Fitted
from snncore.quantize.observer import MinMax, MovingAverageMinMax, Observer
from snncore.quantize.percentile import Percentile
from snncore.quantize.quantizer import Grid
from snncore.quantize.scale import scale_of

ObserverName = Literal["min_max", "moving_average", "percentile"]


class Observed(Fitted):
    """b bits on an even grid that covers the range of the values seen so far.

    c = clamp(round(x / s) + z, least, greatest code);  Q(x) = (c - z) s;
    dQ/dx = 1 where x / s + z lies within the codes, else 0; s and z by
    :func:`snncore.quantize.scale_of`

    It looks at values in training mode and within :func:`snncore.quantize.calibrating`, unless
    frozen; in evaluation scale and zero point stay as they are.

    Args:
        bits: b, from 1 (2 where signed) to 24.
        signed: codes from -2^(b-1) to 2^(b-1) - 1, else from 0 to 2^b - 1.
        symmetric: zero point 0, else one that uses all codes for the range.
        power_of_two: whether the scale is a power of two, so that scaling is a shift.
        observer: how a range comes from values: all seen, a moving average, or a percentile.
        momentum: of ``moving_average``, in (0, 1]; 1 takes the last tensor's range.
        percentile: of ``percentile``, in (50, 100].
        channels: how many scales there are; None for one.
        channel_axis: the axis they run along.
    Shape: any that has the channels, output like input; buffers ``scale`` and ``zero_point`` [] or
        [channels].
    Raises: ValueError if a number is out of range or x has other channels; StateError in
        evaluation before it has seen a value.
    Example:
        >>> observed = Observed(4, observer="min_max")
        >>> observed(torch.tensor([0.5, -1.75])).tolist(), observed.scale.item()
        ([0.5, -1.75], 0.25)

    Source: Jacob et al., Quantization and training of neural networks for efficient
        integer-arithmetic-only inference, CVPR 2018, Section 3.
    """

    conformance: ClassVar[dict[str, object]] = {
        "variants": (
            {},
            {"symmetric": False, "signed": False},
            {"observer": "percentile", "power_of_two": True},
            {"channels": 3, "observer": "min_max"},
        ),
    }
    scale: Tensor
    zero_point: Tensor

    def __init__(
        self,
        bits: Annotated[int, Ge(1), Le(MOST_BITS)] = 8,
        *,
        signed: bool = True,
        symmetric: bool = True,
        power_of_two: bool = False,
        observer: ObserverName = "moving_average",
        momentum: Annotated[float, Gt(0), Le(1)] = 0.1,
        percentile: Annotated[float, Gt(50), Le(100)] = 99.9,
        channels: Annotated[int, Ge(1)] | None = None,
        channel_axis: int = 0,
    ) -> None:
        super().__init__(bits, signed, channels, channel_axis)
        self.symmetric = symmetric
        self.power_of_two = power_of_two
        self.observer = observer
        self.momentum = momentum
        self.percentile = percentile
        self.calibrating = False
        self.watch = self._observer()
        self.register_buffer("scale", torch.ones(per_channel(channels)))
        self.register_buffer("zero_point", torch.zeros(per_channel(channels)))

    def _observer(self) -> Observer:
        where = self.channels, self.channel_axis
        if self.observer == "min_max":
            return MinMax(*where)
        if self.observer == "moving_average":
            return MovingAverageMinMax(*where, momentum=self.momentum)
        if self.observer == "percentile":
            return Percentile(*where, percentile=self.percentile)
        raise ValueError(
            "Observed: observer must be 'min_max', 'moving_average' or 'percentile', got "
            f"{self.observer!r}"
        )

    def due(self) -> bool:
        """In training and calibration, unless frozen."""
        return not self.frozen and (self.training or self.calibrating)

    def fit(self, x: Tensor) -> None:
        """Scale and zero point of the range, x included."""
        self.watch(x)
        scale, zero_point = scale_of(
            self.watch.low,
            self.watch.high,
            self.code_range,
            symmetric=self.symmetric,
            power_of_two=self.power_of_two,
        )
        self.scale.copy_(scale)
        self.zero_point.copy_(zero_point)

    def grid(self, like: Tensor) -> Grid:
        """The buffers, along the channels."""
        axis = self.channel_axis
        zero_point = 0.0 if self.symmetric else spread(self.zero_point, like, axis)
        return spread(self.scale, like, axis), zero_point

    def extra_repr(self) -> str:
        """The observer too."""
        return f"{super().extra_repr()}, observer={self.observer!r}"
