"""Temporal effective batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import nn

from snn_neurons.layers.channel_norm import ChannelNorm
from snn_neurons.layers.counted_module import CountedModule
from snncore.state.unroll import Tensors
from snncore.step import StepMode, merge_time


class TEBN(CountedModule):
    """Batch normalisation over time and batch, then a learnable factor for each time step.

    Y[t] = p[t] (gamma (X[t] - mu) / sqrt(var + eps) + beta), p = 1 at the start; mu and var per
    channel over time, batch and place

    Args:
        num_features: number of channels C.
        T: number of time steps, >= 1.
        eps: added to the variance.
        momentum: of the running statistics; None for their plain average.
        step_mode: "s" or "m". In mode "s" statistics of training are those of one step.
    Shape: x [N, C, *] or [t, N, C, *], at most T steps between resets; output like x; state t,
        the number of steps so far.
    Raises: ValueError if T < 1 or x has other channels; StateError past step T.
    Example:
        >>> TEBN(2, 4, step_mode="m")(torch.ones(4, 3, 2, 5, 5)).shape
        torch.Size([4, 3, 2, 5, 5])

    Source: Duan et al., Temporal effective batch normalization in spiking neural networks, NeurIPS
        2022.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": ({"num_features": 3, "T": 6},),
        "shape": (3, 2),
        "steps": 6,
        "exact_in_training": False,
        "reason": "in training a single step knows only its own batch; statistics over T * N need "
        "mode 'm'",
    }

    def __init__(
        self,
        num_features: Annotated[int, Gt(0)],
        T: Annotated[int, Gt(0)],
        *,
        eps: Annotated[float, Gt(0)] = 1e-5,
        momentum: float | None = 0.1,
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__(T, step_mode)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.norm = ChannelNorm(num_features, eps, momentum)
        self.p = nn.Parameter(torch.ones(T))

    def sequence(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """Norm over merged time, then the factors of these steps."""
        (x,), (t,) = inputs, states
        factors = self.p[self.place(t, x.shape[0])]
        y = merge_time(self.norm, x) * factors.view(-1, *(1,) * (x.dim() - 1))
        return (y.to(x.dtype),), (t + x.shape[0],)
