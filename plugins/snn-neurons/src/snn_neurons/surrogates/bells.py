"""Surrogates made of normal densities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor

from snncore.config import Numeric
from snncore.surrogate import Alpha, Surrogate


def _density(x: Tensor, sigma: float | Tensor) -> Tensor:
    scaled = x / sigma
    return torch.exp(-0.5 * scaled * scaled) / (math.sqrt(2.0 * math.pi) * sigma)


def _cumulative(x: Tensor, sigma: float | Tensor) -> Tensor:
    return torch.erfc(-x / (math.sqrt(2.0) * sigma)) / 2


class Gaussian(Surrogate):
    """Normal density as surrogate, by its standard deviation.

    d(x) = N(x; 0, s), N the normal density; primitive: its distribution function

    ``erf`` is the same curve by its steepness, a = 1 / (sqrt(2) s).

    Args:
        sigma: standard deviation s > 0.
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Raises: ValueError if sigma <= 0.
    Example:
        >>> round(Gaussian(1.0).derivative(torch.zeros(1)).item(), 4)
        0.3989

    Source: Yin et al., Accurate and efficient time-domain classification with adaptive spiking
        recurrent neural networks, Nature Machine Intelligence 2021.
    """

    sigma: float | Tensor

    def __init__(self, sigma: Alpha = 0.5, *, spiking: bool = True) -> None:
        super().__init__(spiking=spiking)
        self.set_numeric("sigma", sigma)

    def derivative(self, x: Tensor) -> Tensor:
        return _density(x, self.sigma)

    def primitive(self, x: Tensor) -> Tensor:
        return _cumulative(x, self.sigma)


class MultiGaussian(Surrogate):
    """A normal density between two wide negative ones, which revive silent neurons.

    d(x) = (1 + h) N(x; 0, s) - h N(x; s, k s) - h N(x; -s, k s), N the normal density;
    primitive: the same sum of distribution functions

    Args:
        sigma: standard deviation s > 0 of the peak, and how far the others lie from it.
        h: weight of the negative lobes, >= 0.
        k: how many times wider they are, > 0.
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Raises: ValueError if sigma or k <= 0, or h < 0.
    Example:
        >>> MultiGaussian().derivative(torch.tensor([0.0, 2.0])).sign().tolist()
        [1.0, -1.0]

    Source: Yin et al., Accurate and efficient time-domain classification with adaptive spiking
        recurrent neural networks, Nature Machine Intelligence 2021, with its s = 0.5, h = 0.15,
        k = 6.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "nonnegative": False,
        "reason": "the lobes beside the peak are negative",
    }
    sigma: float | Tensor
    h: float | Tensor
    k: float | Tensor

    def __init__(
        self,
        sigma: Alpha = 0.5,
        *,
        h: Annotated[Numeric, Ge(0)] = 0.15,
        k: Alpha = 6.0,
        spiking: bool = True,
    ) -> None:
        super().__init__(spiking=spiking)
        self.set_numeric("sigma", sigma)
        self.set_numeric("h", h)
        self.set_numeric("k", k)

    def derivative(self, x: Tensor) -> Tensor:
        s, wide = self.sigma, self.k * self.sigma
        lobes = _density(x - s, wide) + _density(x + s, wide)
        return (1.0 + self.h) * _density(x, s) - self.h * lobes

    def primitive(self, x: Tensor) -> Tensor:
        s, wide = self.sigma, self.k * self.sigma
        lobes = _cumulative(x - s, wide) + _cumulative(x + s, wide)
        return (1.0 + self.h) * _cumulative(x, s) - self.h * lobes
