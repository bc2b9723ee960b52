"""A convolutional spiking network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Ge, Gt, Len, Lt, MinLen
from torch import nn

from snn_models.parts import NONE, Readout, Spec, make_neuron, make_norm, make_pool
from snncore.errors import ConfigError
from snncore.layers import Conv2d, Dropout, Flatten, Linear


class ConvNet(nn.Sequential):
    """Blocks of convolution and spiking neurons, then fully connected layers.

    [conv -> norm -> neuron -> pool] for each of ``channels`` -> flatten -> dropout ->
    [linear -> neuron -> dropout] for each of ``hidden`` -> linear (-> neuron)

    Args:
        in_shape: channels, height, width of one sample at one time step.
        classes: number of outputs.
        channels: output channels of each block.
        hidden: width of each fully connected hidden layer; may be empty.
        neuron: name or table of the neurons; each layer gets its own.
        norm: name or table of a normalisation layer ("batch_norm2d"); None or "none" for none.
        pool: name or table of a pooling layer; None or "none" for none. It halves height and
            width unless the table has its own ``kernel_size``.
        kernel_size: of the convolutions, odd; they are padded to keep height and width.
        stride: of the first convolution; 2 halves height and width at once, which saves time.
        dropout: probability of dropping an input of a fully connected layer, in [0, 1).
        readout: "current" gives the last linear layer's output, "rate" the spikes it causes in one
            more layer of neurons. The score of a class is the mean of its output over time.
    Shape: ``[N, *in_shape] -> [N, classes]`` in mode "s", ``[T, N, *]`` in and out in mode "m".
    Raises: ConfigError for an even kernel, more pooling than the image has pixels for, or a part
        that cannot be built.
    Example:
        >>> ConvNet([1, 8, 8], 10, channels=[4, 8])(torch.rand(2, 1, 8, 8)).shape
        torch.Size([2, 10])

    Source: block structure of Fang et al., Incorporating learnable membrane time constant to
        enhance learning of spiking neural networks, ICCV 2021, Fig. 5.
    """

    def __init__(
        self,
        in_shape: Annotated[Sequence[Annotated[int, Gt(0)]], Len(3, 3)],
        classes: Annotated[int, Gt(0)],
        *,
        channels: Annotated[Sequence[Annotated[int, Gt(0)]], MinLen(1)] = (16, 32),
        hidden: Sequence[Annotated[int, Gt(0)]] = (),
        neuron: Spec = "lif",
        norm: Spec | None = None,
        pool: Spec | None = "max_pool2d",
        kernel_size: Annotated[int, Gt(0)] = 3,
        stride: Annotated[int, Gt(0)] = 1,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        readout: Readout = "current",
    ) -> None:
        if kernel_size % 2 == 0:
            raise ConfigError(f"kernel_size must be odd to keep the image size, got {kernel_size}")
        norm = None if norm == NONE else norm
        pool = None if pool == NONE else pool
        super().__init__()
        shape = torch.Size(in_shape)
        for i, width in enumerate(channels, 1):
            conv = Conv2d(
                shape[0],
                width,
                kernel_size,
                stride if i == 1 else 1,
                kernel_size // 2,
                bias=norm is None,
            )
            self.add_module(f"conv{i}", conv)
            shape = _shape_after(conv, shape)
            if norm is not None:
                self.add_module(f"norm{i}", make_norm(norm, width))
            self.add_module(f"neuron{i}", make_neuron(neuron, [width, 1, 1]))
            if pool is not None:
                layer = make_pool(pool)
                self.add_module(f"pool{i}", layer)
                shape = _pooled(layer, shape, i, list(in_shape))
        self.add_module("flatten", Flatten())
        features = shape.numel()
        for i, width in enumerate((*hidden, classes), 1):
            if dropout:
                self.add_module(f"dropout{i}", Dropout(dropout))
            last = i == len(hidden) + 1
            self.add_module("out" if last else f"linear{i}", Linear(features, width))
            if not last or readout == "rate":
                name = "out_neuron" if last else f"linear_neuron{i}"
                self.add_module(name, make_neuron(neuron, [width]))
            features = width
        self.in_shape = list(in_shape)
        self.classes = classes
        self.channels = list(channels)
        self.hidden = list(hidden)
        self.neuron = neuron
        self.norm = norm
        self.pool = pool
        self.kernel_size = kernel_size
        self.stride = stride
        self.dropout = dropout
        self.readout: Readout = readout


def _pooled(layer: nn.Module, shape: torch.Size, block: int, in_shape: list[int]) -> torch.Size:
    try:
        return _shape_after(layer, shape)
    except RuntimeError:
        raise ConfigError(
            f"block {block} cannot pool an image of {shape[1]}x{shape[2]} any more; in_shape is "
            f"{in_shape}: give fewer channels, or no pool"
        ) from None


def _shape_after(layer: nn.Module, shape: torch.Size) -> torch.Size:
    # Asking the layer itself spares a second copy of every layer's size arithmetic.
    with torch.no_grad():
        return layer(torch.zeros(1, *shape)).shape[1:]
