"""Voting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from torch import Tensor

from snncore.step import StepMode, StepModule


class Voting(StepModule):
    """The mean over groups of neurons that vote for one class.

    y_j = (x_{n j} + ... + x_{n j + n - 1}) / n, at each step by itself

    Args:
        n: voters of a class, >= 1.
        step_mode: "s" or "m"; both do the same, on the last axis.
    Shape: x [N, *, n * classes] or [T, N, *, n * classes]; output [N, *, classes] or with T before.
    Raises: ValueError if n < 1, or the last axis of x is no multiple of n.
    Example:
        >>> Voting(2)(torch.tensor([[1.0, 0.0, 1.0, 1.0]])).tolist()
        [[0.5, 1.0]]

    Source: Fang et al., Incorporating learnable membrane time constant to enhance learning of
        spiking neural networks, ICCV 2021; SpikingJelly (Science Advances 2023).
    """

    conformance: ClassVar[Mapping[str, Any]] = {"variants": [{"n": 3}]}

    def __init__(self, n: Annotated[int, Gt(0)] = 10, *, step_mode: StepMode = "s") -> None:
        super().__init__()
        if n < 1:
            raise ValueError(f"Voting: n must be >= 1, got {n}")
        self.n = n
        self.step_mode = step_mode

    def forward(self, x: Tensor) -> Tensor:
        """``[N, *, n * classes] -> [N, *, classes]``, or with time before."""
        if x.dim() == 0 or x.shape[-1] % self.n:
            raise ValueError(
                f"Voting takes a last axis that is a multiple of n = {self.n}, got {list(x.shape)}"
            )
        return x.unflatten(-1, (x.shape[-1] // self.n, self.n)).mean(-1)
