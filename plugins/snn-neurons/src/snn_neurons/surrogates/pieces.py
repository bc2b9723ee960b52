"""Surrogates made of pieces, one side of the threshold unlike the other or flat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor

from snncore.config import Numeric
from snncore.surrogate import Alpha, Surrogate

Share = Annotated[Numeric, Ge(0)]


class PiecewiseLeakyReLU(Surrogate):
    """Rectangular surrogate with a floor.

    d(x) = 1 / (2 w) for |x| < w, else c;
    primitive c x + c w, x / (2 w) + 1/2, c x - c w + 1 below, within and above

    Args:
        w: half width > 0.
        c: slope outside, >= 0.
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Raises: ValueError if w <= 0 or c < 0.
    Example:
        >>> PiecewiseLeakyReLU(c=0.25).derivative(torch.tensor([0.5, 1.0])).tolist()
        [0.5, 0.25]

    Source: Yin et al., Effective and efficient computation with multiple-timescale spiking
        recurrent neural networks, ICONS 2020; Huh and Sejnowski, NeurIPS 2018; as SpikingJelly
        (Science Advances 2023) writes it.
    """

    conformance: ClassVar[Mapping[str, Any]] = {"kinks": (-1.0, 1.0)}
    w: float | Tensor
    c: float | Tensor

    def __init__(self, w: Alpha = 1.0, *, c: Share = 0.01, spiking: bool = True) -> None:
        super().__init__(spiking=spiking)
        self.set_numeric("w", w)
        self.set_numeric("c", c)

    def derivative(self, x: Tensor) -> Tensor:
        inside = (x.abs() < self.w).to(x.dtype)
        return inside * (0.5 / self.w) + (1.0 - inside) * self.c

    def primitive(self, x: Tensor) -> Tensor:
        within = x.clamp(min=-self.w).clamp(max=self.w)
        return within / (2.0 * self.w) + 0.5 + self.c * (x - within)


class S2NN(Surrogate):
    """Sigmoid below the threshold, logarithm above: spikes beyond it keep a gradient.

    d(x) = a s (1 - s), s = sigma(a x), for x < 0, else b / (x + 1);
    primitive sigma(a x) below 0, b ln(x + 1) + 1/2 from 0 on

    Args:
        alpha: steepness a > 0 below the threshold.
        beta: slope b > 0 at the threshold, from above.
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Raises: ValueError if alpha <= 0 or beta <= 0.
    Example:
        >>> S2NN().derivative(torch.tensor([0.0, 1.0])).tolist()
        [1.0, 0.5]

    Source: Suetake et al., S2NN: time step reduction of spiking surrogate gradients for training
        energy efficient single-step spiking neural networks, Neural Networks 2023. SpikingJelly
        adds 1e-5 inside the logarithm, which x >= 0 does not need; without it d is exact.
    """

    conformance: ClassVar[Mapping[str, Any]] = {"kinks": (0.0,)}
    alpha: float | Tensor
    beta: float | Tensor

    def __init__(self, alpha: Alpha = 4.0, *, beta: Alpha = 1.0, spiking: bool = True) -> None:
        super().__init__(spiking=spiking)
        self.set_numeric("alpha", alpha)
        self.set_numeric("beta", beta)

    def derivative(self, x: Tensor) -> Tensor:
        s = torch.sigmoid(self.alpha * x)
        # Clamped, so that the branch not taken never divides by zero.
        above = self.beta / (x.clamp(min=0.0) + 1.0)
        return torch.where(x < 0, self.alpha * s * (1.0 - s), above)

    def primitive(self, x: Tensor) -> Tensor:
        above = self.beta * torch.log(x.clamp(min=0.0) + 1.0) + 0.5
        return torch.where(x < 0, torch.sigmoid(self.alpha * x), above)


class LeakyKReLU(Surrogate):
    """One slope from the threshold on, another below.

    d(x) = k for x >= 0, else leak; primitive k x, leak x

    Args:
        leak: slope below the threshold, >= 0.
        k: slope from the threshold on, >= 0.
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Raises: ValueError if leak < 0 or k < 0.
    Example:
        >>> LeakyKReLU(0.5).derivative(torch.tensor([-1.0, 0.0])).tolist()
        [0.5, 1.0]

    Source: SpikingJelly (Science Advances 2023).
    """

    conformance: ClassVar[Mapping[str, Any]] = {"kinks": (0.0,)}
    leak: float | Tensor
    k: float | Tensor

    def __init__(self, leak: Share = 0.0, *, k: Share = 1.0, spiking: bool = True) -> None:
        super().__init__(spiking=spiking)
        self.set_numeric("leak", leak)
        self.set_numeric("k", k)

    def derivative(self, x: Tensor) -> Tensor:
        above = (x >= 0).to(x.dtype)
        return above * self.k + (1.0 - above) * self.leak

    def primitive(self, x: Tensor) -> Tensor:
        return self.k * x.clamp(min=0.0) + self.leak * x.clamp(max=0.0)


class LogTailedReLU(Surrogate):
    """A rectified line whose tail grows like a logarithm.

    d(x) = a for x <= 0, 1 for 0 < x <= 1, 1/x above; primitive a x, x, ln x + 1

    Args:
        alpha: slope a >= 0 up to the threshold.
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Raises: ValueError if alpha < 0.
    Example:
        >>> LogTailedReLU().derivative(torch.tensor([0.0, 1.0, 2.0])).tolist()
        [0.0, 1.0, 0.5]

    Source: Cai et al., Deep learning with low precision by half-wave Gaussian quantization,
        CVPR 2017; SpikingJelly (Science Advances 2023).
    """

    conformance: ClassVar[Mapping[str, Any]] = {"kinks": (0.0,)}
    alpha: float | Tensor

    def __init__(self, alpha: Share = 0.0, *, spiking: bool = True) -> None:
        super().__init__(spiking=spiking)
        self.set_numeric("alpha", alpha)

    def derivative(self, x: Tensor) -> Tensor:
        above = (x > 0).to(x.dtype)
        return above / x.clamp(min=1.0) + (1.0 - above) * self.alpha

    def primitive(self, x: Tensor) -> Tensor:
        tail = x.clamp(0.0, 1.0) + x.clamp(min=1.0).log()
        return tail + self.alpha * x.clamp(max=0.0)


class STE(Surrogate):
    """Straight-through estimator with a window.

    d(x) = 1 for |x| <= w, else 0; primitive: hard tanh, clamp(x, -w, w)

    Args:
        w: half width > 0 of the window.
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Raises: ValueError if w <= 0.
    Example:
        >>> STE(0.5).derivative(torch.tensor([0.5, 0.75])).tolist()
        [1.0, 0.0]

    Source: Bengio et al., Estimating or propagating gradients through stochastic neurons,
        arXiv 1308.3432; Hubara et al., Binarized neural networks, NeurIPS 2016; SpikingJelly
        (Science Advances 2023), Eq. 40-41.
    """

    conformance: ClassVar[Mapping[str, Any]] = {"kinks": (-1.0, 1.0)}
    w: float | Tensor

    def __init__(self, w: Alpha = 1.0, *, spiking: bool = True) -> None:
        super().__init__(spiking=spiking)
        self.set_numeric("w", w)

    def derivative(self, x: Tensor) -> Tensor:
        return (x.abs() <= self.w).to(x.dtype)

    def primitive(self, x: Tensor) -> Tensor:
        return x.clamp(min=-self.w).clamp(max=self.w)
