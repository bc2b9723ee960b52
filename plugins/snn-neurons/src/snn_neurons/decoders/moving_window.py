"""Decoding by a moving window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import torch
from annotated_types import Gt

from snncore.state import MemoryModule
from snncore.state.unroll import Given, Tensors, arithmetic
from snncore.step import StepMode


class MovingWindowDecoder(MemoryModule):
    """The firing rate over the last few steps.

    y[t] = (x[t - window + 1] + ... + x[t]) / window; before the first step there is silence

    Args:
        window: number of steps, >= 1.
        step_mode: "s" or "m".
    Shape: x [N, *] or [T, N, *]; output like x; state queue [N, window - 1, *], float32.
    Raises: ValueError if window < 1; StateError when the held state does not fit the input.
    Example:
        >>> decoder = MovingWindowDecoder(2, step_mode="m")
        >>> decoder(torch.tensor([[1.0], [1.0], [0.0]])).flatten().tolist()
        [0.5, 1.0, 0.5]

    Source: rates in sliding windows, Dayan and Abbott, Theoretical Neuroscience 2001, chapter 1.
    """

    states: ClassVar[Mapping[str, float]] = {"queue": 0.0}

    def __init__(self, window: Annotated[int, Gt(0)] = 8, *, step_mode: StepMode = "s") -> None:
        super().__init__()
        if window < 1:
            raise ValueError(f"MovingWindowDecoder: window must be >= 1, got {window}")
        self.window = window
        self.step_mode = step_mode

    def state_like(self, name: str, *inputs: Given) -> tuple[torch.Size, torch.dtype]:
        """The last window - 1 inputs, behind the batch axis."""
        shape, dtype = super().state_like(name, *inputs)
        return torch.Size((*shape[:1], self.window - 1, *shape[1:])), dtype

    def single(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """One step, as a sequence of one."""
        (y,), states = self.sequence((inputs[0].unsqueeze(0),), states)
        return (y.squeeze(0),), states

    def sequence(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """All steps at once, in float32 or float64 arithmetic."""
        (x,), (queue,) = inputs, states
        steps = len(x)
        seen = torch.cat((queue.transpose(0, 1), x.to(arithmetic(x.dtype))))
        total = seen[:steps]
        for lag in range(1, self.window):
            total = total + seen[lag : lag + steps]
        queue = seen[steps:].transpose(0, 1).contiguous()
        return ((total / self.window).to(x.dtype),), (queue,)
