"""A neuron that no library has, for measuring what the first use of one costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from snncore.neuron import Neuron


class Novel(Neuron):
    """A current, a potential and a trace that raises the threshold.

    I <- 0.8 I + X;  H = V + (I - V) / 2;  S = Theta(H - V_th - U);
    V = (1 - S) H + S V_reset;  U <- 0.9 U + 0.1 S exp(-V^2)

    Example:
        >>> import torch
        >>> Novel(step_mode="m")(torch.ones(2, 1, 1)).flatten().tolist()
        [0.0, 1.0]
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0, "i": 0.0, "u": 0.0}

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, i, u) -> (spike, v, i, u)``."""
        x, v, i, u = args
        i = 0.8 * i + x
        h = v + (i - v) / 2.0
        s = self.fire(h - u)
        v = self.reset(h, s)
        return s, v, i, 0.9 * u + 0.1 * s * (-v * v).exp()
