"""Whole numbers in a carrier of floats: what dynamics on an integer grid compute with.

Floats carry whole numbers exactly up to 2^24 in float32 and 2^53 in float64. Backward, rounding is
ignored: each function has the gradient of what it rounds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from snncore.quantize.bits import codes_of
from snncore.quantize.estimator import rounded, straight_through

MOST_SHIFT = 15
"""The widest factor of :func:`multiply_shift`, in bits."""


def whole(value: float | Tensor) -> float | Tensor:
    """round(value), halves to even, with gradient 1; a number stays a number.

    Example:
        >>> whole(2.5), whole(torch.tensor(3.5)).item()
        (2.0, 4.0)
    """
    return rounded(value) if isinstance(value, Tensor) else float(round(value))


def multiply_shift(x: Tensor, factor: float | Tensor, bits: int) -> Tensor:
    """x times a fixed-point factor, shifted toward zero.

    y = sign(x) (|x| factor >> k);  dy/dx = factor / 2^k,  dy/dfactor = x / 2^k

    It is computed in 32 bits alone, split at bit k, which vectorises everywhere.

    Args:
        x: whole numbers, |x| < 2^30.
        factor: whole, from 0 to 2^k; a number or a tensor that broadcasts against x.
        bits: k, from 1 to 15.
    Raises: ValueError if bits is out of range.
    Example:
        >>> multiply_shift(torch.tensor([7.0, -7.0]), 2048.0, 12).tolist()
        [3.0, -3.0]

    Source: Davies et al., Loihi: a neuromorphic manycore processor with on-chip learning, IEEE
        Micro 2018; rounding toward zero as in lava-dl.
    """
    if not 1 <= bits <= MOST_SHIFT:
        raise ValueError(f"multiply_shift: bits must be from 1 to {MOST_SHIFT}, got {bits}")
    number = x.to(torch.int32)
    times = factor.to(torch.int32) if isinstance(factor, Tensor) else int(factor)
    high, low = number.abs() >> bits, number.abs() & (2**bits - 1)
    shifted = number.sign() * (high * times + ((low * times) >> bits))
    return straight_through(shifted.to(x.dtype), x * (factor / 2.0**bits))


def saturate(x: Tensor, bits: int) -> Tensor:
    """Clips to the whole numbers that bits hold in two's complement; gradient 1 within.

    Args:
        x: any values.
        bits: from 2.
    Raises: ValueError if bits < 2.
    Example:
        >>> saturate(torch.tensor([300.0, -300.0]), 8).tolist()
        [127.0, -128.0]
    """
    if bits < 2:
        raise ValueError(f"saturate: bits must be >= 2, got {bits}")
    return x.clamp(*codes_of(bits, signed=True))
