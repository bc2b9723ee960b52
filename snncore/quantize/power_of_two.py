"""Powers of two with a sign."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from snncore.config import Numeric
from snncore.quantize.bits import check_bits
from snncore.quantize.quantizer import Grid, Quantizer, inside

_MOST = 6


class PowerOfTwo(Quantizer):
    """0 and powers of two of either sign, so that a product is a shift.

    Q(x) = the level nearest to x, of two equally near the one farther from 0;
    levels 0 and +- alpha 2^-e, e = 0 ... 2^(b-1) - 2;  dQ/dx = 1 for |x| <= alpha, else 0

    Codes are multiples of the smallest power. A learnable alpha receives Q(x) / alpha where values
    are clipped and (Q(x) - x) / alpha elsewhere.

    Args:
        bits: b with the sign, from 2 to 6.
        alpha: the greatest level, > 0; broadcasts against x.
    Shape: any, output like input.
    Raises: ValueError if bits or alpha is out of range.
    Example:
        >>> PowerOfTwo(3)(torch.tensor([0.1, 0.3, -0.4, 0.8, 5.0])).tolist()
        [0.0, 0.25, -0.5, 1.0, 1.0]

    Source: Miyashita et al., Convolutional neural networks using logarithmic data representation,
        arXiv:1603.01025 (2016); levels and clipping as Li et al., Additive powers-of-two
        quantization, ICLR 2020, Eq. 3.
    """

    alpha: float | Tensor

    def __init__(
        self,
        bits: Annotated[int, Ge(2), Le(_MOST)] = 4,
        *,
        alpha: Annotated[Numeric, Gt(0)] = 1.0,
    ) -> None:
        super().__init__()
        check_bits(self, bits, least=2, most=_MOST)
        self.bits = bits
        self.set_numeric("alpha", alpha)

    @property
    def code_range(self) -> tuple[float, float]:
        most = 2.0 ** (2 ** (self.bits - 1) - 2)
        return -most, most

    def relax(self, x: Tensor) -> Tensor:
        return (x / self.alpha).clamp(-1.0, 1.0) * self.code_range[1]

    def encode(self, x: Tensor) -> Tensor:
        """+- 2^j or 0, by comparison with the middles between levels: exact, and pointwise."""
        size = (x / self.alpha).abs() * self.code_range[1]
        codes = (size >= 0.5).to(x.dtype)
        for j in range(2 ** (self.bits - 1) - 2):
            codes = codes + (size >= 1.5 * 2.0**j).to(x.dtype) * 2.0**j
        # A value that is no number stays none.
        return torch.where(x == x, torch.where(x < 0, -codes, codes), x)

    def decode(self, codes: Tensor) -> Tensor:
        return codes * self.grid(codes)[0]

    def derivative(self, x: Tensor) -> Tensor:
        return inside(x / self.alpha, -1.0, 1.0)

    def grid(self, like: Tensor) -> Grid:
        """The smallest power."""
        return self.alpha / self.code_range[1], 0.0

    def extra_repr(self) -> str:
        """Bits too."""
        return f"bits={self.bits}, {super().extra_repr()}"
