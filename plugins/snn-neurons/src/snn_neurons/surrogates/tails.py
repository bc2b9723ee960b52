"""Surrogates with a peak at the threshold and long tails."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor

from snncore.config import Numeric
from snncore.surrogate import Alpha, Surrogate


def _sign(x: Tensor) -> Tensor:
    """1 at zero too."""
    return 2.0 * (x >= 0).to(x.dtype) - 1.0


class PiecewiseExp(Surrogate):
    """Exponential surrogate.

    d(x) = (a/2) exp(-a |x|); primitive exp(a x) / 2 below 0, 1 - exp(-a x) / 2 from 0 on

    Args:
        alpha: steepness a > 0.
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Raises: ValueError if alpha <= 0.
    Example:
        >>> PiecewiseExp(1.0).derivative(torch.zeros(1)).item()
        0.5

    Source: Shrestha and Orchard, SLAYER: spike layer error reassignment in time, NeurIPS 2018;
        SpikingJelly (Science Advances 2023).
    """

    alpha: float | Tensor

    def __init__(self, alpha: Alpha = 1.0, *, spiking: bool = True) -> None:
        super().__init__(spiking=spiking)
        self.set_numeric("alpha", alpha)

    def derivative(self, x: Tensor) -> Tensor:
        return (self.alpha / 2) * torch.exp(-self.alpha * x.abs())

    def primitive(self, x: Tensor) -> Tensor:
        # Of |x|, since exp(a x) overflows on the side where it is not wanted.
        tail = torch.exp(-self.alpha * x.abs()) / 2
        return torch.where(x >= 0, 1.0 - tail, tail)


class SuperSpike(Surrogate):
    """The surrogate of SuperSpike, the derivative of a soft sign.

    d(x) = a / (1 + |x|)^2; primitive a x / (1 + |x|) + 1/2

    Args:
        alpha: height a > 0; it scales the gradient and leaves the width.
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Raises: ValueError if alpha <= 0.
    Example:
        >>> SuperSpike().derivative(torch.tensor([0.0, 1.0])).tolist()
        [1.0, 0.25]

    Source: Zenke and Ganguli, SuperSpike: supervised learning in multilayer spiking neural
        networks, Neural Computation 2018, Eq. 5; the primitive is ours.
    """

    alpha: float | Tensor

    def __init__(self, alpha: Alpha = 1.0, *, spiking: bool = True) -> None:
        super().__init__(spiking=spiking)
        self.set_numeric("alpha", alpha)

    def derivative(self, x: Tensor) -> Tensor:
        distance = 1.0 + x.abs()
        return self.alpha / (distance * distance)

    def primitive(self, x: Tensor) -> Tensor:
        return self.alpha * x / (1.0 + x.abs()) + 0.5


class NonzeroSignLogAbs(Surrogate):
    """Logarithmic surrogate; its primitive jumps nowhere and has no bound.

    d(x) = 1 / (1/a + |x|); primitive sign(x) ln(a |x| + 1), sign(0) = 1

    Args:
        alpha: steepness a > 0, the height at 0.
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Raises: ValueError if alpha <= 0.
    Example:
        >>> NonzeroSignLogAbs(2.0).derivative(torch.tensor([0.0, 0.5])).tolist()
        [2.0, 1.0]

    Source: SpikingJelly (Science Advances 2023).
    """

    alpha: float | Tensor

    def __init__(self, alpha: Alpha = 1.0, *, spiking: bool = True) -> None:
        super().__init__(spiking=spiking)
        self.set_numeric("alpha", alpha)

    def derivative(self, x: Tensor) -> Tensor:
        return 1.0 / (1.0 / self.alpha + x.abs())

    def primitive(self, x: Tensor) -> Tensor:
        return _sign(x) * torch.log(self.alpha * x.abs() + 1.0)


class QPseudoSpike(Surrogate):
    """q-PseudoSpike: a power law whose tails alpha makes as fat as wanted.

    d(x) = (1 + 2 |x| / (a - 1))^(-a);
    primitive (1 - 2 x / (a - 1))^(1 - a) / 2 below 0, 1 - (1 + 2 x / (a - 1))^(1 - a) / 2 from 0 on

    Args:
        alpha: exponent a > 1; the area is 1 for each.
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Raises: ValueError if alpha <= 1.
    Example:
        >>> [round(d, 4) for d in QPseudoSpike(2.0).derivative(torch.tensor([0.0, 0.5])).tolist()]
        [1.0, 0.25]

    Source: Herranz-Celotti and Rouat, Surrogate gradients design, arXiv 2202.00282.
    """

    alpha: float | Tensor

    def __init__(self, alpha: Annotated[Numeric, Gt(1)] = 2.0, *, spiking: bool = True) -> None:
        super().__init__(spiking=spiking)
        self.set_numeric("alpha", alpha)

    def derivative(self, x: Tensor) -> Tensor:
        return self._power(x, -self.alpha)

    def primitive(self, x: Tensor) -> Tensor:
        tail = self._power(x, 1.0 - self.alpha) / 2
        return torch.where(x >= 0, 1.0 - tail, tail)

    def _power(self, x: Tensor, exponent: float | Tensor) -> Tensor:
        """(1 + 2 |x| / (a - 1)) to the exponent, by functions that vectorise in kernels."""
        return torch.exp(exponent * torch.log1p(2.0 / (self.alpha - 1.0) * x.abs()))


class FakeNumericalGradient(Surrogate):
    """The slope Theta(x) / x of the chord, with a bound.

    d(x) = min(1 / |x|, a); primitive a x + 1/2 for |x| <= 1/a, sign(x) (1 + ln(a |x|)) + 1/2 beyond

    Args:
        alpha: the bound a > 0, the height for |x| <= 1/a.
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Raises: ValueError if alpha <= 0.
    Example:
        >>> FakeNumericalGradient(0.5).derivative(torch.tensor([-0.0, 4.0])).tolist()
        [0.5, 0.25]

    Source: SpikingJelly (Science Advances 2023); the primitive is ours.
    """

    alpha: float | Tensor

    def __init__(self, alpha: Alpha = 0.3, *, spiking: bool = True) -> None:
        super().__init__(spiking=spiking)
        self.set_numeric("alpha", alpha)

    def derivative(self, x: Tensor) -> Tensor:
        return x.abs().reciprocal().clamp(max=self.alpha)

    def primitive(self, x: Tensor) -> Tensor:
        # Each term stands still where the other moves: no branch divides by zero.
        scaled = self.alpha * x
        return scaled.clamp(-1.0, 1.0) + _sign(x) * scaled.abs().clamp(min=1.0).log() + 0.5
