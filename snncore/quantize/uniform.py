"""Even grids: with and without ends."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from snncore.config import Numeric
from snncore.quantize.bits import MOST_BITS, check_bits, codes_of
from snncore.quantize.estimator import rounded
from snncore.quantize.quantizer import Grid, Quantizer, inside


class Step(Quantizer):
    """Multiples of a step size, without ends.

    Q(x) = round(x / s) s; dQ/dx = 1, dQ/ds = round(x / s) - x / s

    Args:
        scale: the step size s > 0; broadcasts against x.
    Shape: any, output like input.
    Raises: ValueError if scale <= 0.
    Example:
        >>> Step(0.25)(torch.tensor([0.3, -0.4])).tolist()
        [0.25, -0.5]

    Source: SpikingJelly (Science Advances 2023); the weights of Lava's networks.
    """

    scale: float | Tensor

    def __init__(self, scale: Annotated[Numeric, Gt(0)] = 1.0) -> None:
        super().__init__()
        self.set_numeric("scale", scale)

    def relax(self, x: Tensor) -> Tensor:
        return x / self.scale

    def decode(self, codes: Tensor) -> Tensor:
        return codes * self.scale

    def grid(self, like: Tensor) -> Grid:
        return self.scale, 0.0


class Even(Quantizer):
    """What quantisers of b bits on an even grid share; a subclass says where its scale is from.

    c = clamp(round(x / s) + z, least, greatest code);  Q(x) = (c - z) s

    Args:
        bits: b.
        signed: codes in two's complement, else from 0.
    """

    def __init__(self, bits: int, signed: bool) -> None:
        super().__init__()
        # Of a single bit in two's complement the codes would be -1 and 0.
        check_bits(self, bits, least=2 if signed else 1)
        self.bits = bits
        self.signed = signed

    @property
    def code_range(self) -> tuple[float, float]:
        return codes_of(self.bits, self.signed)

    def relax(self, x: Tensor) -> Tensor:
        scale, zero_point = self.grid(x)
        return (x / scale + zero_point).clamp(*self.code_range)

    def encode(self, x: Tensor) -> Tensor:
        scale, zero_point = self.grid(x)
        return ((x / scale).round() + zero_point).clamp(*self.code_range)

    def decode(self, codes: Tensor) -> Tensor:
        scale, zero_point = self.grid(codes)
        return (codes - zero_point) * scale

    def derivative(self, x: Tensor) -> Tensor:
        scale, zero_point = self.grid(x)
        return inside(x / scale + zero_point, *self.code_range)

    def grid(self, like: Tensor) -> Grid:
        raise TypeError(f"{type(self).__name__} must define grid(like)")

    def extra_repr(self) -> str:
        """Bits and sign too."""
        words = f"bits={self.bits}, signed={self.signed}"
        return ", ".join(text for text in (words, super().extra_repr()) if text)


class Uniform(Even):
    """b bits on a given even grid.

    c = clamp(round(x / s) + z, least, greatest code);  Q(x) = (c - z) s;
    dQ/dx = 1 where x / s + z lies within the codes, else 0

    Args:
        bits: b, from 1 (2 where signed) to 24.
        scale: s > 0; broadcasts against x, so one per channel has shape [C, 1, ...].
        zero_point: z, the whole code of 0; broadcasts against x.
        signed: codes from -2^(b-1) to 2^(b-1) - 1, else from 0 to 2^b - 1.
    Shape: any, output like input.
    Raises: ValueError if bits is out of range, scale <= 0 or zero_point is not whole.
    Example:
        >>> Uniform(3, scale=0.5)(torch.tensor([0.6, 9.0, -9.0])).tolist()
        [0.5, 1.5, -2.0]

    Source: Jacob et al., Quantization and training of neural networks for efficient
        integer-arithmetic-only inference, CVPR 2018, Eq. 1.
    """

    conformance: ClassVar[dict[str, object]] = {
        "variants": (
            {"bits": 3, "scale": 0.5},
            {"bits": 3, "scale": 0.5, "zero_point": 3.0, "signed": False},
            {"bits": 3, "scale": [[0.1], [0.25], [0.7]]},
        ),
    }
    scale: float | Tensor
    zero_point: float | Tensor

    def __init__(
        self,
        bits: Annotated[int, Ge(1), Le(MOST_BITS)] = 8,
        *,
        scale: Annotated[Numeric, Gt(0)] = 1.0,
        zero_point: Numeric = 0.0,
        signed: bool = True,
    ) -> None:
        super().__init__(bits, signed)
        self.set_numeric("scale", scale)
        self.set_numeric("zero_point", zero_point)
        zero = torch.as_tensor(self.zero_point)
        if not torch.equal(zero, zero.round()):
            raise ValueError(f"Uniform: zero_point must be whole, got {zero.tolist()}")

    def grid(self, like: Tensor) -> Grid:
        zero = self.zero_point
        # One that learns moves between whole numbers, the codes of 0.
        return self.scale, rounded(zero) if isinstance(zero, Tensor) else zero
