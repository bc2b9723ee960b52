"""Layers as Loihi has them: synapses, the neurons behind them, the delay of their spikes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from snn_lava.cuba import LoihiCUBA
from snn_lava.grid import DELAYS
from snn_lava.synapses import GAIN, Count, LoihiConv2d, LoihiLinear, Padding, Pair
from snncore.config import build, from_spec
from snncore.layers import Recurrent
from snncore.step import StepMode

Spec: TypeAlias = str | dict[str, Any]
"""A component's name, or a table of ``name`` and parameters."""

NEURON = "snn-lava/loihi_cuba"


class BlockContainer(nn.Sequential):
    """Synapses, neurons, and the delay of the neurons' spikes.

    Y = D(M(W X)),  W ``synapse``, M ``neuron``, D ``delay``

    It runs in the step mode of what it holds. The chip answers one step later than each block;
    training leaves that out, as it shifts all outputs alike.

    Args:
        synapse: any layer that the chip has, such as :class:`snn_lava.LoihiLinear`.
        neuron: such as :class:`snn_lava.LoihiCUBA`.
        delay: a layer that gives its input later, such as ``snn-neurons/delay``; None for none.
    Shape: ``[N, *]`` in mode "s", ``[T, N, *]`` in mode "m".
    Example:
        >>> import torch
        >>> block = BlockContainer(LoihiLinear(3, 2), LoihiCUBA())
        >>> block(torch.ones(1, 3)).shape
        torch.Size([1, 2])

    Source: SpikingJelly (Science Advances 2023), exchange with Lava; lava-dl 0.6, slayer/block.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "example": lambda: BlockContainer(
            LoihiLinear(6, 5), LoihiCUBA(), build("layer", "snn-neurons/delay", delay=2)
        ),
        "shape": (6,),
        "configurable": False,
        "reason": "its modules are given as objects",
    }
    synapse: nn.Module
    neuron: nn.Module
    delay: nn.Module

    def __init__(
        self, synapse: nn.Module, neuron: nn.Module, delay: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.add_module("synapse", synapse)
        self.add_module("neuron", neuron)
        if delay is not None:
            self.add_module("delay", delay)


class LoihiDense(BlockContainer):
    """Neurons of Loihi behind a matrix of weights on its grid, with learnable delays if wanted.

    Y_c[t] = S_c[t - d_c],  S = M(q(W) X)

    Delays are those of ``snn-neurons/learnable_delay``: smooth in training, whole numbers of steps
    in evaluation, which the chip runs. Narrow them by ``block.delay.anneal``.

    Args:
        in_features, out_features: sizes of the last axis.
        neuron: name or table of M.
        gain: initial weights are drawn from N(0, gain^2 / in_features).
        max_delay: the longest delay d in steps that an output may learn, up to 62; 0 for none.
    Shape: ``[N, in_features] -> [N, out_features]`` in mode "s", with T before N in mode "m".
    Raises: as :func:`snncore.from_spec` for a neuron that cannot be built.
    Example:
        >>> import torch
        >>> block = LoihiDense(4, 2, neuron={"name": "snn-lava/loihi_cuba", "v_threshold": 0.5})
        >>> block(torch.ones(1, 4)).shape
        torch.Size([1, 2])

    Source: lava-dl 0.6, slayer/block/base.py (AbstractDense).
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": (
            {"in_features": 6, "out_features": 5},
            {"in_features": 6, "out_features": 5, "gain": 4.0, "max_delay": 3},
        ),
        "shape": (6,),
        "gain": 2.0,
    }

    def __init__(
        self,
        in_features: Count,
        out_features: Count,
        *,
        neuron: Spec = NEURON,
        gain: Annotated[float, Gt(0)] = GAIN,
        max_delay: Annotated[int, Ge(0), Le(DELAYS.high)] = 0,
    ) -> None:
        delay = None
        if max_delay:
            delay = build(
                "layer", "snn-neurons/learnable_delay", channels=out_features, max_delay=max_delay
            )
        super().__init__(
            LoihiLinear(in_features, out_features, gain=gain), from_spec("neuron", neuron), delay
        )
        self.in_features = in_features
        self.out_features = out_features
        self.gain = gain
        self.max_delay = max_delay


class LoihiConv(BlockContainer):
    """Neurons of Loihi behind a convolution with weights on its grid.

    Y = M(q(W) * X)

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, gain: as
            :class:`snn_lava.LoihiConv2d`.
        neuron: name or table of M.
    Shape: as ``torch.nn.Conv2d`` in mode "s", with T before N in mode "m".
    Raises: as :func:`snncore.from_spec` for a neuron that cannot be built.
    Example:
        >>> import torch
        >>> LoihiConv(2, 4, 2, stride=2)(torch.ones(1, 2, 8, 8)).shape
        torch.Size([1, 4, 4, 4])

    Source: lava-dl 0.6, slayer/block/base.py (AbstractConv).
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": (
            {"in_channels": 4, "out_channels": 3, "kernel_size": 3, "padding": 1},
            {"in_channels": 4, "out_channels": 2, "kernel_size": [2, 1], "groups": 2},
        ),
        "shape": (4, 5, 4),
        "gain": 2.0,
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
        neuron: Spec = NEURON,
        gain: Annotated[float, Gt(0)] = GAIN,
    ) -> None:
        synapse = LoihiConv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            gain=gain,
        )
        super().__init__(synapse, from_spec("neuron", neuron))
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups
        self.gain = gain


class LoihiRecurrent(Recurrent):
    """Neurons of Loihi behind two matrices of weights on its grid: from the input, from themselves.

    Y[t] = M(q(W) X[t] + q(U) Y[t-1]),  Y[-1] = 0

    Args:
        in_features, out_features: sizes of the last axis.
        neuron: name or table of M.
        gain: initial weights W and U are drawn from N(0, gain^2 / (2 fan_in)), so that together
            they drive as the weights of a dense layer do.
        step_mode: "s" or "m"; M itself always is in single-step mode.
    Shape: ``[N, in_features] -> [N, out_features]`` in mode "s", with T before N in mode "m"; state
        y [N, out_features].
    Raises: as :func:`snncore.from_spec` for a neuron that cannot be built; StateError as
        :class:`snncore.MemoryModule`.
    Example:
        >>> import torch
        >>> LoihiRecurrent(4, 2, step_mode="m")(torch.ones(8, 1, 4)).shape
        torch.Size([8, 1, 2])

    Source: lava-dl 0.6, slayer/block/base.py (AbstractRecurrent).
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": ({"in_features": 6, "out_features": 5},),
        "shape": (6,),
        "gain": 2.0,
    }
    feedforward: LoihiLinear
    recurrent: LoihiLinear

    def __init__(
        self,
        in_features: Count,
        out_features: Count,
        *,
        neuron: Spec = NEURON,
        gain: Annotated[float, Gt(0)] = GAIN,
        step_mode: StepMode = "s",
    ) -> None:
        inside = from_spec("neuron", neuron)
        super().__init__(inside, in_features, out_features, bias=False, step_mode=step_mode)
        share = gain / math.sqrt(2)
        self.feedforward = LoihiLinear(in_features, out_features, gain=share)
        self.recurrent = LoihiLinear(out_features, out_features, gain=share)
        self.gain = gain

    @property
    def neuron(self) -> nn.Module:
        """M."""
        return self.sub_module

    def forward_weights(self) -> tuple[Tensor, Tensor | None]:
        """q(W), and no bias."""
        return self.feedforward.on_chip(), None

    def feedback(self) -> Tensor:
        """q(U)."""
        return self.recurrent.on_chip()
