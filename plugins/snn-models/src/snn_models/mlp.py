"""A fully connected spiking network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Gt, Lt, MinLen
from torch import nn

from snn_models.parts import NONE, Readout, Spec, make_neuron, make_norm
from snncore.layers import Dropout, Flatten, Linear


class MLP(nn.Sequential):
    """Fully connected layers of spiking neurons.

    flatten -> [linear -> norm -> neuron -> dropout] for each of ``hidden`` -> linear (-> neuron)

    Args:
        in_shape: shape of one sample at one time step.
        classes: number of outputs.
        hidden: width of each hidden layer; may be empty.
        neuron: name or table of the neurons; each layer gets its own. A parameter that is a table
            such as ``{gamma = 3.0, mean = 10.0, low = 1.0}`` is drawn for each neuron.
        norm: name or table of a normalisation layer ("batch_norm1d"); None or "none" for none.
        dropout: probability of dropping a spike of a hidden layer, in [0, 1).
        readout: "current" gives the last linear layer's output, "rate" the spikes it causes in one
            more layer of neurons. The score of a class is the mean of its output over time.
    Shape: ``[N, *in_shape] -> [N, classes]`` in mode "s", ``[T, N, *]`` in and out in mode "m".
    Raises: ConfigError for a part that cannot be built.
    Example:
        >>> MLP([1, 8, 8], 10, hidden=[32])(torch.rand(4, 1, 8, 8)).shape
        torch.Size([4, 10])

    Source: networks for surrogate gradients in Neftci et al., IEEE Signal Processing Magazine 2019.
    """

    def __init__(
        self,
        in_shape: Annotated[Sequence[Annotated[int, Gt(0)]], MinLen(1)],
        classes: Annotated[int, Gt(0)],
        *,
        hidden: Sequence[Annotated[int, Gt(0)]] = (128,),
        neuron: Spec = "lif",
        norm: Spec | None = None,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        readout: Readout = "current",
    ) -> None:
        norm = None if norm == NONE else norm
        super().__init__()
        self.add_module("flatten", Flatten())
        width = math.prod(in_shape)
        for i, features in enumerate(hidden, 1):
            self.add_module(f"linear{i}", Linear(width, features, bias=norm is None))
            if norm is not None:
                self.add_module(f"norm{i}", make_norm(norm, features))
            self.add_module(f"neuron{i}", make_neuron(neuron, [features]))
            if dropout:
                self.add_module(f"dropout{i}", Dropout(dropout))
            width = features
        self.add_module("out", Linear(width, classes))
        if readout == "rate":
            self.add_module("out_neuron", make_neuron(neuron, [classes]))
        self.in_shape = list(in_shape)
        self.classes = classes
        self.hidden = list(hidden)
        self.neuron = neuron
        self.norm = norm
        self.dropout = dropout
        self.readout: Readout = readout
