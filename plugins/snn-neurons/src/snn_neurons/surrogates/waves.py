"""A surrogate that is a wave."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor

from snncore.surrogate import Alpha, Surrogate


class SquarewaveFourierSeries(Surrogate):
    """The first terms of the Fourier series of a square wave.

    d(x) = (4 / T) sum_i cos((2 i - 1) 2 pi x / T);
    primitive 1/2 + (2 / pi) sum_i sin((2 i - 1) 2 pi x / T) / (2 i - 1), i = 1 ... n - 1

    Args:
        n: one more than the number of terms, >= 2.
        period: period T > 0 of the wave.
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Raises: ValueError if n < 2 or period <= 0.
    Example:
        >>> SquarewaveFourierSeries(3).derivative(torch.zeros(1)).item()
        1.0

    Source: SpikingJelly (Science Advances 2023), whose sum ends at n - 1.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "nonnegative": False,
        "reason": "a sum of cosines takes both signs",
    }
    period: float | Tensor

    def __init__(
        self, n: Annotated[int, Ge(2)] = 2, *, period: Alpha = 8.0, spiking: bool = True
    ) -> None:
        super().__init__(spiking=spiking)
        if n < 2:
            raise ValueError(f"SquarewaveFourierSeries: n must be >= 2, got {n}")
        self.n = n
        self.set_numeric("period", period)

    def derivative(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x)
        for odd in self._odd():
            total = total + torch.cos((odd * 2.0 * math.pi / self.period) * x)
        return (4.0 / self.period) * total

    def primitive(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x)
        for odd in self._odd():
            total = total + torch.sin((odd * 2.0 * math.pi / self.period) * x) / odd
        return 0.5 + (2.0 / math.pi) * total

    def _odd(self) -> range:
        return range(1, 2 * self.n - 2, 2)
