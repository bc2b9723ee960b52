"""Bounded values: clipped to an interval, or scaled into one."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from snncore.config import Numeric
from snncore.quantize.quantizer import Ungridded, inside


class Clamp(Ungridded):
    """Clips to a closed interval.

    Q(x) = min(max(x, low), high); dQ/dx = 1 for low <= x <= high, else 0

    Learnable bounds receive the gradient of what they clip.

    Args:
        low, high: the bounds, low <= high; shapes broadcast against x.
    Shape: any, output like input.
    Raises: ValueError if low > high.
    Example:
        >>> Clamp(-1.0, 1.0)(torch.tensor([-3.0, 0.5, 1.0])).tolist()
        [-1.0, 0.5, 1.0]

    Source: SpikingJelly (Science Advances 2023), quantisers of activations.
    """

    conformance: ClassVar[dict[str, object]] = {"gridded": False, "reason": "it rounds nothing"}
    low: float | Tensor
    high: float | Tensor

    def __init__(self, low: Numeric = 0.0, high: Numeric = 1.0) -> None:
        super().__init__()
        self.set_numeric("low", low)
        self.set_numeric("high", high)
        least, most = torch.as_tensor(self.low), torch.as_tensor(self.high)
        if (least > most).any():
            raise ValueError(
                f"Clamp: low must be <= high, got {least.tolist()} and {most.tolist()}"
            )

    def quantize(self, x: Tensor) -> Tensor:
        low, high = self.low, self.high
        if isinstance(low, Tensor) or isinstance(high, Tensor):
            return x.clamp(torch.as_tensor(low), torch.as_tensor(high))
        return x.clamp(low, high)

    def derivative(self, x: Tensor) -> Tensor:
        return inside(x, self.low, self.high)


class ClampByLinear(Ungridded):
    """Scales all values together into [0, 1).

    Q(x) = (x - min) / (max + 1e-5 - min), min and max over the whole tensor

    The backward is that of autograd, through min and max too.

    Shape: any, output like input; an empty tensor stays empty.
    Example:
        >>> ClampByLinear()(torch.tensor([1.0, 3.0])).tolist()
        [0.0, 0.99999...]

    Source: SpikingJelly (Science Advances 2023), quantisers of weights.
    """

    conformance: ClassVar[dict[str, object]] = {
        "gridded": False,
        "idempotent": False,
        "pointwise": False,
        "reason": "it rounds nothing; minimum and maximum are those of the whole tensor",
    }

    def quantize(self, x: Tensor) -> Tensor:
        if x.numel() == 0:
            return x
        low, high = x.amin(), x.amax()
        return (x - low) / (high + 1e-5 - low)

    def derivative(self, x: Tensor) -> Tensor:
        """The slope at fixed minimum and maximum."""
        return torch.ones_like(x) / (x.amax() + 1e-5 - x.amin()) if x.numel() else x
