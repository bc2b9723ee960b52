"""A recurrent spiking network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Gt, Lt, MinLen
from torch import nn

from snn_models.parts import Readout, Spec, make_neuron
from snncore.layers import Dropout, Flatten, Linear, Recurrent


class RSNN(nn.Sequential):
    """Layers of spiking neurons that each feed back to themselves.

    flatten -> [y[t] = M(W x[t] + b + U y[t-1]) -> dropout] for each of ``hidden`` -> linear
    (-> neuron)

    Args:
        in_shape: shape of one sample at one time step.
        classes: number of outputs.
        hidden: number of neurons of each recurrent layer.
        neuron: name or table of the neurons M; each layer gets its own. A parameter that is a table
            such as ``{gamma = 3.0, mean = 10.0, low = 1.0}`` is drawn for each neuron.
        dropout: probability of dropping a spike on its way to the next layer, in [0, 1); what is
            fed back drops none.
        readout: "current" gives the last linear layer's output, "rate" the spikes it causes in one
            more layer of neurons. The score of a class is the mean of its output over time.
    Shape: ``[N, *in_shape] -> [N, classes]`` in mode "s", ``[T, N, *]`` in and out in mode "m".
    Raises: ConfigError for a part that cannot be built.
    Example:
        >>> RSNN([1, 1, 140], 10, hidden=[32])(torch.rand(4, 1, 1, 140)).shape
        torch.Size([4, 10])

    Source: recurrent networks of Cramer et al., The Heidelberg spiking data sets for the systematic
        evaluation of spiking neural networks, IEEE Transactions on Neural Networks and Learning
        Systems 33, 2022.
    """

    def __init__(
        self,
        in_shape: Annotated[Sequence[Annotated[int, Gt(0)]], MinLen(1)],
        classes: Annotated[int, Gt(0)],
        *,
        hidden: Annotated[Sequence[Annotated[int, Gt(0)]], MinLen(1)] = (128,),
        neuron: Spec = "lif",
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        readout: Readout = "current",
    ) -> None:
        super().__init__()
        self.add_module("flatten", Flatten())
        width = math.prod(in_shape)
        for i, size in enumerate(hidden, 1):
            layer = Recurrent(make_neuron(neuron, [size]), width, size)
            self.add_module(f"recurrent{i}", layer)
            if dropout:
                self.add_module(f"dropout{i}", Dropout(dropout))
            width = size
        self.add_module("out", Linear(width, classes))
        if readout == "rate":
            self.add_module("out_neuron", make_neuron(neuron, [classes]))
        self.in_shape = list(in_shape)
        self.classes = classes
        self.hidden = list(hidden)
        self.neuron = neuron
        self.dropout = dropout
        self.readout: Readout = readout
