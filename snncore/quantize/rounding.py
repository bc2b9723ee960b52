"""Rounding to whole numbers: to the nearest, up, down."""

from __future__ import annotations

from torch import Tensor

from snncore.quantize.quantizer import Quantizer


class Round(Quantizer):
    """The nearest whole number, halves to even.

    Q(x) = round(x); dQ/dx = 1

    Shape: any, output like input.
    Example:
        >>> Round()(torch.tensor([0.5, 1.5, -0.6])).tolist()
        [0.0, 2.0, -1.0]

    Source: Bengio et al., Estimating or propagating gradients through stochastic neurons for
        conditional computation, arXiv:1308.3432 (2013): the straight-through estimator.
    """


class Ceil(Quantizer):
    """The next whole number above.

    Q(x) = ceil(x); dQ/dx = 1

    Shape: any, output like input.
    Example:
        >>> Ceil()(torch.tensor([0.2, -0.2, 1.0])).tolist()
        [1.0, -0.0, 1.0]

    Source: Bengio et al., arXiv:1308.3432 (2013): the straight-through estimator.
    """

    def encode(self, x: Tensor) -> Tensor:
        """ceil(x)."""
        return x.ceil()


class Floor(Quantizer):
    """The next whole number below.

    Q(x) = floor(x); dQ/dx = 1

    Shape: any, output like input.
    Example:
        >>> Floor()(torch.tensor([0.8, -0.2, 1.0])).tolist()
        [0.0, -1.0, 1.0]

    Source: Bengio et al., arXiv:1308.3432 (2013): the straight-through estimator.
    """

    def encode(self, x: Tensor) -> Tensor:
        """floor(x)."""
        return x.floor()
