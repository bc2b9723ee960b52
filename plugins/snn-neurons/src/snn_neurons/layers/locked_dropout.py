"""Dropout that keeps its mask through time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from snncore.state.memory import MemoryModule
from snncore.state.unroll import Given, Tensors, arithmetic
from snncore.step import StepMode


class LockedDropout(MemoryModule):
    """Dropout with one mask for all time steps, drawn at the first step and kept until reset.

    Y[t] = M X[t];  M = 1 / (1 - p) with probability 1 - p, else 0, for each element

    A neuron that is dropped is silent for the whole sequence. The ``dropout`` of
    :mod:`snncore.layers` is torch's, and draws anew at every step. In evaluation the input passes
    as it is.

    Args:
        p: probability of dropping an element, in [0, 1].
        step_mode: "s" or "m".
    Shape: x [N, *] or [T, N, *]; output like x; state mask [N, *], float32.
    Raises: ValueError if p leaves [0, 1]; StateError when the mask does not fit the input.
    Example:
        >>> kept = LockedDropout(0.5, step_mode="m")(torch.ones(8, 1, 16))
        >>> torch.equal(kept[0], kept[7])
        True

    Source: SpikingJelly (Science Advances 2023), supplement; Lee et al., Enabling spike-based
        backpropagation for training deep neural network architectures, Frontiers in Neuroscience
        2020; for recurrent networks Gal and Ghahramani, NeurIPS 2016.
    """

    states: ClassVar[Mapping[str, float]] = {"mask": 1.0}
    conformance: ClassVar[Mapping[str, Any]] = {"variants": ({"p": 0.4}, {"p": 0.0}, {"p": 1.0})}

    def __init__(
        self, p: Annotated[float, Ge(0), Le(1)] = 0.5, *, step_mode: StepMode = "s"
    ) -> None:
        super().__init__()
        check_probability(self, p)
        self.p = p
        self.step_mode = step_mode

    def init_states(self, *inputs: Given) -> Tensors:
        """A fresh mask."""
        shape, dtype = self.state_like("mask", *inputs)
        ones = torch.ones(shape, dtype=dtype, device=inputs[0].device)
        return (nn.functional.dropout(ones, self.p, training=True),)

    def step(self, *args: Tensor) -> Tensors:
        """``(x, mask) -> (y, mask)``."""
        x, mask = args
        return (x * mask).to(x.dtype), mask

    def sequence(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """All steps at once: the mask broadcasts over time."""
        return self.single(inputs, states)

    def forward(self, *inputs: Tensor) -> Any:
        """Masked in training, unchanged in evaluation."""
        return super().forward(*inputs) if self.training else inputs[0]

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}, step_mode={self.step_mode!r}"


class LockedDropout2d(LockedDropout):
    """Drops whole channels, with one mask for all time steps, kept until reset.

    Y[t] = M X[t];  M = 1 / (1 - p) with probability 1 - p, else 0, for each sample and channel

    Args:
        p: probability of dropping a channel, in [0, 1].
        step_mode: "s" or "m".
    Shape: x [N, C, *] or [T, N, C, *]; output like x; state mask [N, C, 1, ...], float32.
    Raises: ValueError if p leaves [0, 1]; StateError when the mask does not fit the input.
    Example:
        >>> y = LockedDropout2d(0.5, step_mode="m")(torch.ones(8, 1, 4, 3, 3))
        >>> torch.equal(y.amax((0, 3, 4)), y.amin((0, 3, 4)))
        True

    Source: SpikingJelly (Science Advances 2023), supplement; Tompson et al., Efficient object
        localization using convolutional networks, CVPR 2015.
    """

    conformance: ClassVar[Mapping[str, Any]] = {"variants": ({"p": 0.4},), "shape": (5, 2, 3)}

    def __init__(
        self, p: Annotated[float, Ge(0), Le(1)] = 0.2, *, step_mode: StepMode = "s"
    ) -> None:
        super().__init__(p, step_mode=step_mode)

    def state_like(self, name: str, *inputs: Given) -> tuple[torch.Size, torch.dtype]:
        """``[N, C, 1, ...]``."""
        x = inputs[0]
        return torch.Size((*x.shape[:2], *(1,) * (len(x.shape) - 2))), arithmetic(x.dtype)


def check_probability(layer: nn.Module, p: float) -> None:
    """Raises ValueError unless ``p`` lies in [0, 1]."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{type(layer).__name__}: p is a probability, in [0, 1], got {p:g}")
