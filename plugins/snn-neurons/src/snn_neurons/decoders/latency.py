"""Latency decoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from snncore.kernels.fused import FusedModule
from snncore.step import StepMode


class LatencyDecoder(FusedModule):
    """The time of the first spike, in steps since the last reset, and a gradient for it.

    y[t] = sum_{k<=t} (1 - x[0]) ... (1 - x[k]): the number of steps before the first spike

    The last step's is the latency of the whole sequence; an element that stays silent has T. For
    spikes 0 and 1 the time is exact. The product makes it differentiable: a spike more, at or
    before the first one, makes it earlier.

    Args:
        step_mode: "s" or "m".
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *] of zeros and ones; output like x; states silent and time [N, *],
        float32.
    Raises: StateError when the held state does not fit the input.
    Example:
        >>> x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
        >>> LatencyDecoder(step_mode="m")(x)[-1].tolist()
        [1.0, 3.0]

    Source: first-spike times as in SpikingJelly (Science Advances 2023), Eq. 8-9; the
        differentiable form is ours.
    """

    states: ClassVar[Mapping[str, float]] = {"silent": 1.0, "time": 0.0}

    def __init__(self, *, step_mode: StepMode = "s", backend: str | None = None) -> None:
        super().__init__(backend=backend)
        self.step_mode = step_mode

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, silent, time) -> (time, silent, time)``."""
        x, silent, time = args
        silent = silent * (1.0 - x)
        time = time + silent
        return time, silent, time
