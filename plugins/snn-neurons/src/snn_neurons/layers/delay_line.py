"""The queue of past inputs that delays read from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from snn_neurons.layers.sequence_module import SequenceModule
from snncore.state.unroll import Given, Tensors
from snncore.step import StepMode


class DelayLine(SequenceModule):
    """Keeps the last inputs; a subclass says in :meth:`read` what it takes of them.

    Args:
        length: how many inputs it keeps, >= 0; zeros before the first.
        step_mode: "s" or "m".
    Raises: ValueError for a negative length.
    """

    states: ClassVar[Mapping[str, float]] = {"queue": 0.0}

    def __init__(self, length: int, step_mode: StepMode) -> None:
        super().__init__()
        if length < 0:
            raise ValueError(f"{type(self).__name__}: a delay is >= 0 steps, got {length}")
        self.length = length
        self.step_mode = step_mode

    def state_like(self, name: str, *inputs: Given) -> tuple[torch.Size, torch.dtype]:
        """``[length, N, *]``, oldest first, in the input's dtype."""
        return torch.Size((self.length, *inputs[0].shape)), inputs[0].dtype

    def read(self, line: Tensor, steps: int) -> Tensor:
        """Outputs ``[steps, N, *]`` from kept and new inputs ``[length + steps, N, *]``."""
        raise TypeError(f"{type(self).__name__} must define read(line, steps)")

    def sequence(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """Reads, and keeps the newest inputs."""
        (x,), (queue,) = inputs, states
        line = torch.cat((queue, x))
        # A copy: a view would keep, and save, the whole sequence.
        return (self.read(line, x.shape[0]),), (line[x.shape[0] :].clone(),)
