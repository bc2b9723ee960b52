"""DoReFa's quantiser of [0, 1], and its image under a line."""

from __future__ import annotations

from typing import Annotated, ClassVar

from annotated_types import Ge, Le
from torch import Tensor

from snncore.config import Numeric
from snncore.errors import NotSupported
from snncore.quantize.bits import MOST_BITS, check_bits, codes_of
from snncore.quantize.quantizer import Grid, Quantizer

Bits = Annotated[int, Ge(1), Le(MOST_BITS)]


class KBit(Quantizer):
    """2^k even levels from 0 to 1.

    Q(x) = round((2^k - 1) x) / (2^k - 1); dQ/dx = 1

    Values outside [0, 1] are rounded to the same spacing and leave the k bits; clip them before.

    Args:
        bits: k, from 1 to 24.
    Shape: any, output like input.
    Raises: ValueError if bits is out of range.
    Example:
        >>> KBit(2)(torch.tensor([0.1, 0.4, 1.0])).tolist()
        [0.0, 0.3333..., 1.0]

    Source: Zhou et al., DoReFa-Net, arXiv:1606.06160 (2016), Eq. 5; SpikingJelly (Science
        Advances 2023), Fig. 3c.
    """

    conformance: ClassVar[dict[str, object]] = {"domain": (0.0, 1.0)}

    def __init__(self, bits: Bits = 8) -> None:
        super().__init__()
        check_bits(self, bits)
        self.bits = bits

    @property
    def _most(self) -> float:
        return codes_of(self.bits, signed=False)[1]

    def relax(self, x: Tensor) -> Tensor:
        return x * self._most

    def decode(self, codes: Tensor) -> Tensor:
        return codes / self._most

    def grid(self, like: Tensor) -> Grid:
        """Spacing 1 / (2^k - 1)."""
        return 1.0 / self._most, 0.0

    def extra_repr(self) -> str:
        """Bits too."""
        return ", ".join(text for text in (f"bits={self.bits}", super().extra_repr()) if text)


class Affine(KBit):
    """A line through the k-bit levels.

    Q(x) = w q + b,  q = round((2^k - 1) x) / (2^k - 1); dQ/dx = w, dQ/dw = q, dQ/db = 1

    Args:
        bits: k, from 1 to 24.
        w: height of the levels' span.
        b: the lowest level.
    Shape: any, output like input; w and b broadcast against it.
    Raises: ValueError if bits is out of range; NotSupported for its integers, whose zero point
        would be no whole number.
    Example:
        >>> Affine(1, w=2.0, b=-1.0)(torch.tensor([0.2, 0.7])).tolist()
        [-1.0, 1.0]

    Source: SpikingJelly (Science Advances 2023), quantisers.
    """

    conformance: ClassVar[dict[str, object]] = {
        "domain": (0.0, 1.0),
        "idempotent": False,
        "reason": "its values are those of another interval than its arguments",
    }
    w: float | Tensor
    b: float | Tensor

    def __init__(self, bits: Bits = 8, *, w: Numeric = 1.0, b: Numeric = 0.0) -> None:
        super().__init__(bits)
        self.set_numeric("w", w)
        self.set_numeric("b", b)

    def decode(self, codes: Tensor) -> Tensor:
        return self.w * super().decode(codes) + self.b

    def derivative(self, x: Tensor) -> Tensor:
        return super().derivative(x) * self.w

    def grid(self, like: Tensor) -> Grid:
        """Raises NotSupported."""
        raise NotSupported("Affine has no whole zero point; use uniform for values in integers")
