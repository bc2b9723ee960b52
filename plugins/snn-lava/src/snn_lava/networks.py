"""Whole networks of Loihi's layers, for training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Gt, Le, Len, Lt, MinLen
from torch import nn

from snn_lava.blocks import NEURON, LoihiConv, LoihiDense, LoihiRecurrent, Spec
from snn_lava.grid import DELAYS
from snn_lava.synapses import GAIN, Count
from snncore.errors import ConfigError
from snncore.layers import Dropout, Flatten


class LoihiDenseNet(nn.Sequential):
    """Fully connected layers of Loihi's neurons.

    flatten -> [dense or recurrent -> dropout] for each of ``hidden`` -> dense

    Args:
        in_shape: shape of one sample at one time step, of spikes 0 and 1.
        classes: number of outputs.
        hidden: width of each hidden layer; may be empty.
        recurrent: whether hidden layers feed back to themselves.
        neuron: name or table of the neurons; each layer gets its own.
        gain: spread of the initial weights, as of :class:`snn_lava.LoihiLinear`.
        max_delay: the longest delay in steps that a hidden neuron may learn; 0 for none.
        dropout: probability of dropping a spike of a hidden layer, in [0, 1); what is fed back
            drops none.
    Shape: ``[N, *in_shape] -> [N, classes]`` in mode "s", ``[T, N, *]`` in and out in mode "m"; the
        output is the spikes of the last layer, whose count is the score of a class.
    Raises: ConfigError for neurons that cannot be built, and for delays of recurrent layers.
    Example:
        >>> import torch
        >>> LoihiDenseNet([2, 8, 8], 10, hidden=[32])(torch.ones(4, 2, 8, 8)).shape
        torch.Size([4, 10])

    Source: lava-dl 0.6, tutorials of slayer (N-MNIST).
    """

    def __init__(
        self,
        in_shape: Annotated[Sequence[Count], MinLen(1)],
        classes: Count,
        *,
        hidden: Sequence[Count] = (128,),
        recurrent: bool = False,
        neuron: Spec = NEURON,
        gain: Annotated[float, Gt(0)] = GAIN,
        max_delay: Annotated[int, Ge(0), Le(DELAYS.high)] = 0,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        _check_neuron(neuron)
        if recurrent and max_delay:
            raise ConfigError(
                f"recurrent layers have no delays of their own, got max_delay = {max_delay}; set "
                "it to 0, or recurrent to false"
            )
        super().__init__()
        self.add_module("flatten", Flatten())
        width = math.prod(in_shape)
        for i, features in enumerate(hidden, 1):
            if recurrent:
                layer = LoihiRecurrent(width, features, neuron=neuron, gain=gain)
                self.add_module(f"recurrent{i}", layer)
            else:
                block = LoihiDense(width, features, neuron=neuron, gain=gain, max_delay=max_delay)
                self.add_module(f"dense{i}", block)
            if dropout:
                self.add_module(f"dropout{i}", Dropout(dropout))
            width = features
        self.add_module("out", LoihiDense(width, classes, neuron=neuron, gain=gain))
        self.in_shape = list(in_shape)
        self.classes = classes
        self.hidden = list(hidden)
        self.recurrent = recurrent
        self.neuron = neuron
        self.gain = gain
        self.max_delay = max_delay
        self.dropout = dropout


class LoihiConvNet(nn.Sequential):
    """Convolutions of Loihi's neurons, then fully connected layers.

    [conv 3x3 -> conv 2x2 of stride 2] for each of ``channels`` -> flatten -> [dropout -> dense] for
    each of ``hidden`` -> dropout -> dense

    Convolutions of stride 2 stand for pooling, which the chip has none of.

    Args:
        in_shape: channels, height, width of one sample at one time step, of spikes 0 and 1.
        classes: number of outputs.
        channels: of the two convolutions of each block, which halves height and width.
        hidden: width of each fully connected hidden layer; may be empty.
        neuron: name or table of the neurons; each layer gets its own.
        gain: spread of the initial weights, as of :class:`snn_lava.LoihiConv2d`.
        dropout: probability of dropping an input of a fully connected layer, in [0, 1).
    Shape: ``[N, *in_shape] -> [N, classes]`` in mode "s", ``[T, N, *]`` in and out in mode "m"; the
        output is the spikes of the last layer, whose count is the score of a class.
    Raises: ConfigError for neurons that cannot be built, and for more blocks than the image can be
        halved.
    Example:
        >>> import torch
        >>> LoihiConvNet([2, 8, 8], 11, channels=[4, 4])(torch.ones(2, 2, 8, 8)).shape
        torch.Size([2, 11])

    Source: SpikingJelly (Science Advances 2023), network for DVS128 Gesture on Loihi,
        {C32k3-C32k2s2}x3-FC11.
    """

    def __init__(
        self,
        in_shape: Annotated[Sequence[Count], Len(3, 3)],
        classes: Count,
        *,
        channels: Annotated[Sequence[Count], MinLen(1)] = (32, 32, 32),
        hidden: Sequence[Count] = (),
        neuron: Spec = NEURON,
        gain: Annotated[float, Gt(0)] = GAIN,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        _check_neuron(neuron)
        before, height, width = in_shape
        if not min(height, width) >> len(channels):
            raise ConfigError(
                f"{len(channels)} blocks halve {height}x{width} pixels more often than there are "
                "pixels; give fewer channels"
            )
        super().__init__()
        for i, after in enumerate(channels, 1):
            conv = LoihiConv(before, after, 3, padding=1, neuron=neuron, gain=gain)
            self.add_module(f"conv{i}", conv)
            halving = LoihiConv(after, after, 2, stride=2, neuron=neuron, gain=gain)
            self.add_module(f"halving{i}", halving)
            before = after
        self.add_module("flatten", Flatten())
        features = before * (height >> len(channels)) * (width >> len(channels))
        for i, size in enumerate((*hidden, classes), 1):
            if dropout:
                self.add_module(f"dropout{i}", Dropout(dropout))
            name = f"dense{i}" if i <= len(hidden) else "out"
            self.add_module(name, LoihiDense(features, size, neuron=neuron, gain=gain))
            features = size
        self.in_shape = list(in_shape)
        self.classes = classes
        self.channels = list(channels)
        self.hidden = list(hidden)
        self.neuron = neuron
        self.gain = gain
        self.dropout = dropout


def _check_neuron(spec: object) -> None:
    if isinstance(spec, nn.Module):
        raise ConfigError(
            "neuron must be a name or a table with a name, so that each layer gets its own; got a "
            f"{type(spec).__name__}"
        )
