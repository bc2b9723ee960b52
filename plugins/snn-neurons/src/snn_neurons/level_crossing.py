"""Encoders of signals: a spike where the signal has moved away from a reference by a threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor

from snncore.config import Numeric
from snncore.kernels.fused import FusedModule
from snncore.numeric import NumericModule
from snncore.step import StepMode

Threshold = Annotated[Numeric, Gt(0)]


class _Crossing(NumericModule, FusedModule):
    """Compares each step with a reference that subclasses move on."""

    states: ClassVar[Mapping[str, float]] = {"reference": 0.0, "started": 0.0}
    conformance: ClassVar[Mapping[str, Any]] = {"spike_values": (-1.0, 0.0, 1.0)}
    threshold: float | Tensor

    def __init__(
        self,
        threshold: Threshold,
        *,
        off_spikes: bool,
        start: float | None,
        step_mode: StepMode,
    ) -> None:
        super().__init__()
        self.set_numeric("threshold", threshold)
        self.off_spikes = off_spikes
        self.start = start
        self.step_mode = step_mode

    def follow(self, x: Tensor, reference: Tensor, sign: Tensor) -> Tensor:
        """The next reference, from the value, the last reference and the spike's sign."""
        raise TypeError(f"{type(self).__name__} must define follow(x, reference, sign)")

    def crossed(self, distance: Tensor) -> Tensor:
        """Where the signal is far enough above the reference."""
        return distance >= self.threshold

    def initial(self, name: str) -> float | Tensor:
        """With ``start`` the reference begins there, else at the first value."""
        if self.start is None:
            return super().initial(name)
        return self.start if name == "reference" else 1.0

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, reference, started) -> (spike, reference, started)``."""
        x, reference, started = args
        reference = torch.where(started > 0, reference, x)
        distance = x - reference
        rise, fall = self.crossed(distance).to(x.dtype), self.crossed(-distance).to(x.dtype)
        spike = rise - fall if self.off_spikes else rise
        return spike, self.follow(x, reference, rise - fall), torch.ones_like(started)


class Delta(_Crossing):
    """A spike where the signal has changed by the threshold since the last step.

    S[t] = 1 where x[t] - x[t-1] >= theta, -1 where x[t] - x[t-1] <= -theta, else 0

    Args:
        threshold: theta > 0; a nested list or tensor gives one per channel.
        off_spikes: whether falls give -1; without, spikes are 0 and 1.
        start: the value before the first step; None for the first one, which is silent then.
        step_mode: "s" or "m".
    Shape: x [N, *] or [T, N, *], any real values; output like x; state reference [N, *].
    Raises: ValueError if threshold <= 0; StateError when the held state does not fit the input.
    Example:
        >>> delta = Delta(0.5, step_mode="m")
        >>> delta(torch.tensor([[0.0], [1.0], [1.25], [0.25]])).flatten().tolist()
        [0.0, 1.0, 0.0, -1.0]

    Source: Eshraghian et al., Training spiking neural networks using lessons from deep learning,
        Proceedings of the IEEE 2023 (delta modulation).
    """

    def __init__(
        self,
        threshold: Threshold = 0.1,
        *,
        off_spikes: bool = True,
        start: float | None = 0.0,
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__(threshold, off_spikes=off_spikes, start=start, step_mode=step_mode)

    def follow(self, x: Tensor, reference: Tensor, sign: Tensor) -> Tensor:
        return x


class StepForward(_Crossing):
    """A spike moves the baseline by the threshold, so the sum of spikes rebuilds the signal.

    S[t] = 1 where x[t] > B + theta, -1 where x[t] < B - theta, else 0;  B <- B + theta S[t]

    Args:
        threshold: theta > 0; a nested list or tensor gives one per channel.
        off_spikes: whether falls give -1; without, they only move B.
        start: the baseline before the first step; None for the first value.
        step_mode: "s" or "m".
    Shape: x [N, *] or [T, N, *], any real values; output like x; state reference (B) [N, *].
    Raises: ValueError if threshold <= 0; StateError when the held state does not fit the input.
    Example:
        >>> forward = StepForward(0.5, step_mode="m")
        >>> forward(torch.tensor([[0.0], [1.25], [1.25], [1.25]])).flatten().tolist()
        [0.0, 1.0, 1.0, 0.0]

    Source: Petro, Kasabov and Kiss, Selection and optimization of temporal spike encoding methods
        for spiking neural networks, IEEE TNNLS 2020.
    """

    def __init__(
        self,
        threshold: Threshold = 0.1,
        *,
        off_spikes: bool = True,
        start: float | None = None,
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__(threshold, off_spikes=off_spikes, start=start, step_mode=step_mode)

    def crossed(self, distance: Tensor) -> Tensor:
        return distance > self.threshold

    def follow(self, x: Tensor, reference: Tensor, sign: Tensor) -> Tensor:
        return reference + self.threshold * sign


class SendOnDelta(_Crossing):
    """A spike where the signal has moved by the threshold since the last spike.

    S[t] = 1 where x[t] - R >= theta, -1 where x[t] - R <= -theta, else 0;  R <- x[t] at a spike

    Slow drifts add up here, which delta modulation never sees.

    Args:
        threshold: theta > 0; a nested list or tensor gives one per channel.
        off_spikes: whether falls give -1; without, they only move R.
        start: the value sent before the first step; None for the first one.
        step_mode: "s" or "m".
    Shape: x [N, *] or [T, N, *], any real values; output like x; state reference (R) [N, *].
    Raises: ValueError if threshold <= 0; StateError when the held state does not fit the input.
    Example:
        >>> sender = SendOnDelta(0.5, step_mode="m")
        >>> sender(torch.tensor([[0.0], [0.25], [0.75], [1.0]])).flatten().tolist()
        [0.0, 0.0, 1.0, 0.0]

    Source: Miskowicz, Send-on-delta concept: an event-based data reporting strategy, Sensors 2006.
    """

    def __init__(
        self,
        threshold: Threshold = 0.1,
        *,
        off_spikes: bool = True,
        start: float | None = None,
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__(threshold, off_spikes=off_spikes, start=start, step_mode=step_mode)

    def follow(self, x: Tensor, reference: Tensor, sign: Tensor) -> Tensor:
        return torch.where(sign != 0, x, reference)
