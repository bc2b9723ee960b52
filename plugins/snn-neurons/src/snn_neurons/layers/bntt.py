"""Batch normalisation through time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import nn

from snn_neurons.layers.channel_norm import ChannelNorm
from snn_neurons.layers.counted_module import CountedModule
from snncore.state.unroll import Tensors
from snncore.step import StepMode


class BNTT(CountedModule):
    """A batch normalisation of its own for each time step, without bias.

    Y[t] = gamma[t] (X[t] - mu[t]) / sqrt(var[t] + eps); mu[t] and var[t] per channel over batch
    and place of step t

    Args:
        num_features: number of channels C.
        T: number of time steps, >= 1.
        eps: added to the variance.
        momentum: of the running statistics; None for their plain average.
        step_mode: "s" or "m".
    Shape: x [N, C, *] or [t, N, C, *], at most T steps between resets; output like x; state t,
        the number of steps so far.
    Raises: ValueError if T < 1 or x has other channels; StateError past step T.
    Example:
        >>> BNTT(2, 4, step_mode="m")(torch.ones(4, 3, 2)).abs().max().item()
        0.0

    Source: Kim and Panda, Revisiting batch normalization for training low-latency deep spiking
        neural networks from scratch, Frontiers in Neuroscience 2021.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": ({"num_features": 3, "T": 6},),
        "shape": (3, 2),
        "steps": 6,
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
        self.norms = nn.ModuleList(ChannelNorm(num_features, eps, momentum) for _ in range(T))
        for norm in self.norms:
            norm.register_parameter("bias", None)

    def sequence(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """Each step by its own norm."""
        (x,), (t,) = inputs, states
        norms = self.norms[self.place(t, x.shape[0])]
        # A sequence of no steps has nothing to stack.
        steps = [norm(now) for norm, now in zip(norms, x.unbind(0), strict=True)]
        return (torch.stack(steps) if steps else x,), (t + x.shape[0],)
