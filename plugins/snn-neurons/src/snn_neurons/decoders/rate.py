"""Rate decoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from snncore.kernels.fused import FusedModule
from snncore.step import StepMode


class RateDecoder(FusedModule):
    """The firing rate so far: spikes per step since the last reset.

    y[t] = (x[0] + ... + x[t]) / (t + 1); the last step's is the rate of the whole sequence

    Args:
        step_mode: "s" or "m".
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; output like x; states total and count [N, *], float32.
    Raises: StateError when the held state does not fit the input.
    Example:
        >>> RateDecoder(step_mode="m")(torch.tensor([[1.0], [0.0]])).flatten().tolist()
        [1.0, 0.5]

    Source: SpikingJelly (Science Advances 2023), firing rates as outputs.
    """

    states: ClassVar[Mapping[str, float]] = {"total": 0.0, "count": 0.0}

    def __init__(self, *, step_mode: StepMode = "s", backend: str | None = None) -> None:
        super().__init__(backend=backend)
        self.step_mode = step_mode

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, total, count) -> (rate, total, count)``."""
        x, total, count = args
        total, count = total + x, count + 1.0
        return total / count, total, count
