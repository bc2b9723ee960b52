"""Synapses with weights on Loihi's grid, for training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, TypeAlias

import torch.nn.functional as F
from annotated_types import Ge, Gt, Len
from torch import Tensor, nn

from snn_lava.grid import on_grid
from snncore.layers.time_aware import TimeAware

Count: TypeAlias = Annotated[int, Gt(0)]
Pair: TypeAlias = Count | Annotated[Sequence[Count], Len(2, 2)]
"""Height and width, or one number for both."""
Padding: TypeAlias = Annotated[int, Ge(0)] | Annotated[Sequence[Annotated[int, Ge(0)]], Len(2, 2)]

GAIN = 1.0
"""Spread of the initial weights for neurons with the default decays. In networks of several layers
the neurons then fire in 2 to 20 of 100 steps; so they do with 1.5 where the current decays by 0.5
in a step, and with 2.75 where none of it is kept."""


class _OnGrid(nn.Module):
    """What synapses share: how weights are drawn, and what the chip has of them."""

    weight: Tensor
    gain: float

    def reset_parameters(self) -> None:
        """W from N(0, gain^2 / fan_in)."""
        nn.init.normal_(self.weight, std=self.gain / math.sqrt(self.weight[0].numel()))

    def on_chip(self) -> Tensor:
        """q(W), with the gradient of W."""
        return on_grid(self.weight)


class _Linear(_OnGrid, nn.Linear):
    """Not torch's own, of which a trace takes the weight as it is."""

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.on_chip())


class _Conv2d(_OnGrid, nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.on_chip(), None)


class LoihiLinear(TimeAware, _Linear):
    """Linear layer with weights on Loihi's grid.

    Y = q(W) X,  q(w) = clamp(round(32 w) / 32, -4, 254 / 64)

    What is trained is W; backward, rounding is ignored. The chip has no bias.

    Args:
        in_features, out_features: sizes of the last axis.
        gain: initial weights are drawn from N(0, gain^2 / in_features).
    Shape: ``[N, in_features] -> [N, out_features]`` in mode "s", with T before N in mode "m";
        parameter ``weight`` [out_features, in_features], float.
    Example:
        >>> import torch
        >>> layer = LoihiLinear(1, 2)
        >>> _ = nn.init.constant_(layer.weight, 0.3)
        >>> layer(torch.ones(1, 1)).tolist()
        [[0.3125, 0.3125]]

    Source: lava-dl 0.6, slayer/neuron/base.py (quantize_8bit) and slayer/synapse.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": ({"in_features": 6, "out_features": 5},),
        "shape": (6,),
    }

    def __init__(
        self, in_features: Count, out_features: Count, *, gain: Annotated[float, Gt(0)] = GAIN
    ) -> None:
        # Before torch's constructor, which draws the weights.
        self.gain = gain
        super().__init__(in_features, out_features, bias=False)


class LoihiConv2d(TimeAware, _Conv2d):
    """Convolution of images with weights on Loihi's grid.

    Y = q(W) * X,  q(w) = clamp(round(32 w) / 32, -4, 254 / 64)

    What is trained is W; backward, rounding is ignored. The chip has no bias.

    Args:
        in_channels, out_channels: numbers of channels.
        kernel_size, stride, padding, dilation: height and width, or one number for both; padding
            with zeros.
        groups: blocks of channels that do not mix.
        gain: initial weights are drawn from N(0, gain^2 / fan_in).
    Shape: as ``torch.nn.Conv2d`` in mode "s", with T before N in mode "m"; parameter ``weight``
        [out_channels, in_channels / groups, height, width], float.
    Example:
        >>> import torch
        >>> LoihiConv2d(2, 4, 3, padding=1)(torch.rand(1, 2, 8, 8)).shape
        torch.Size([1, 4, 8, 8])

    Source: lava-dl 0.6, slayer/neuron/base.py (quantize_8bit) and slayer/synapse.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": (
            {"in_channels": 4, "out_channels": 3, "kernel_size": 3, "padding": 1},
            {"in_channels": 4, "out_channels": 2, "kernel_size": 2, "stride": 2, "groups": 2},
        ),
        "shape": (4, 5, 4),
        "configurable": False,
        "reason": "torch keeps the sizes of a convolution as tuples, which are no plain data",
    }

    def __init__(
        self,
        in_channels: Count,
        out_channels: Count,
        kernel_size: Pair,
        *,
        stride: Pair = 1,
        padding: Padding = 0,
        dilation: Pair = 1,
        groups: Count = 1,
        gain: Annotated[float, Gt(0)] = GAIN,
    ) -> None:
        self.gain = gain
        super().__init__(
            in_channels,
            out_channels,
            _pair(kernel_size),
            _pair(stride),
            _pair(padding),
            _pair(dilation),
            groups,
            bias=False,
        )


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
