"""The base of quantisers: codes forward, the unrounded codes backward."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import torch
from torch import Tensor

from snncore.config import from_spec
from snncore.errors import NotSupported
from snncore.numeric import NumericModule
from snncore.quantize.estimator import straight_through
from snncore.state.unroll import arithmetic

Grid: TypeAlias = tuple[float | Tensor, float | Tensor]
"""Scale and zero point."""


class Quantizer(NumericModule):
    """Replaces every value by one of a grid; the backward ignores the rounding.

    c = encode(x), whole numbers;  Q(x) = decode(c);  dQ/dx = decode'(c) relax'(x)

    A subclass writes :meth:`relax`, the codes before they are rounded, and :meth:`decode`;
    :meth:`encode` where it does more than round, :meth:`derivative` and :attr:`code_range` where
    it clips, :meth:`grid` where values are evenly spaced. As it stands the base is round(x).

    Quantisers are pointwise unless they say otherwise, so they take either step mode's shapes and
    may be called in a neuron's ``step``, of which a kernel is made with them.

    Attributes:
        enabled: False passes values on as they are.
        frozen: what the quantiser has learnt or observed stays as it is; see :meth:`freeze`.

    Shape: any; the result has shape and dtype of x. Arithmetic is float32, float64 for float64.
    Raises: TypeError for integer input.
    """

    enabled: bool = True
    frozen: bool = False

    def relax(self, x: Tensor) -> Tensor:
        """The codes before they are rounded; the backward goes through here."""
        return x

    def encode(self, x: Tensor) -> Tensor:
        """Whole numbers, in the dtype of x."""
        return self.relax(x).round()

    def decode(self, codes: Tensor) -> Tensor:
        """The values that codes stand for."""
        return codes

    def derivative(self, x: Tensor) -> Tensor:
        """dQ/dx of the backward, for plots and for the conformance kit."""
        return torch.ones_like(x)

    @property
    def code_range(self) -> tuple[float, float]:
        """Least and greatest code; infinite where nothing is clipped."""
        return -math.inf, math.inf

    def grid(self, like: Tensor) -> Grid:
        """Scale and zero point of an even grid, value = (code - zero point) scale.

        Args:
            like: what is quantised; scale and zero point broadcast against it.
        Raises: NotSupported where values are not evenly spaced.
        """
        return 1.0, 0.0

    def quantize(self, x: Tensor) -> Tensor:
        """Q(x) in the dtype of the arithmetic, differentiable."""
        with torch.no_grad():
            codes = self.encode(x)
        return self.decode(straight_through(codes, self.relax(x)))

    def forward(self, x: Tensor) -> Tensor:
        """Q(x), or x where it is not enabled."""
        if not x.is_floating_point():
            raise TypeError(
                f"{type(self).__name__} takes floating-point values, got {x.dtype}; call x.float()"
            )
        if not self.enabled:
            return x
        return self.quantize(x.to(arithmetic(x.dtype))).to(x.dtype)

    def freeze(self, on: bool = True) -> None:
        """Keeps scales and other parameters as they are, or lets them move again."""
        self.frozen = on
        self.requires_grad_(not on)

    def extra_repr(self) -> str:
        """Parameters, and what is not at its default."""
        words = [name for name in ("frozen",) if getattr(self, name)]
        words += [] if self.enabled else ["disabled"]
        return ", ".join(text for text in (super().extra_repr(), *words) if text)


class Ungridded(Quantizer):
    """A quantiser's place in a network for what rounds nothing; a subclass writes ``quantize``."""

    def encode(self, x: Tensor) -> Tensor:
        """Raises NotSupported."""
        raise NotSupported(f"{type(self).__name__} rounds nothing, so its values have no codes")

    def grid(self, like: Tensor) -> Grid:
        """Raises NotSupported."""
        raise NotSupported(f"{type(self).__name__} rounds nothing, so its values have no grid")

    def quantize(self, x: Tensor) -> Tensor:
        """The values; autograd differentiates them."""
        raise TypeError(f"{type(self).__name__} must define quantize(x)")


def inside(x: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """1 in the closed interval, 0 outside: the derivative of ``x.clamp(low, high)``."""
    return ((x >= low) & (x <= high)).to(x.dtype)


def as_quantizer(spec: Any) -> Quantizer:
    """A quantiser from a name, a table with ``name``, or a finished one.

    Raises: TypeError for anything else; as :func:`snncore.build` for names and tables.

    Example:
        >>> as_quantizer({"name": "step", "scale": 0.5})(torch.tensor([0.7])).item()
        0.5
    """
    quantizer = from_spec("quantizer", spec)
    if not isinstance(quantizer, Quantizer):
        raise TypeError(
            f"quantizer must be a name, a table or a Quantizer, got {type(spec).__name__}"
        )
    return quantizer
