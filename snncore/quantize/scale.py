"""Scales and zero points from ranges of values."""

from __future__ import annotations

import torch
from torch import Tensor


def scale_of(
    low: Tensor,
    high: Tensor,
    code_range: tuple[float, float],
    *,
    symmetric: bool,
    power_of_two: bool = False,
) -> tuple[Tensor, Tensor]:
    """Scale s > 0 and whole zero point z with which codes cover a range of values.

    symmetric: s = max(|low|, |high|) / greatest code, z = 0 (unsigned: s = high / greatest code);
    else s = (high - low) / (greatest - least code), z = least code - round(low / s), where the
    range is first widened to hold 0, which has then a code of its own

    Args:
        low, high: of one shape; one range per channel, or one.
        code_range: least and greatest code.
        symmetric: whether the zero point is 0.
        power_of_two: whether s is raised to the next power of two, so that scaling is a shift.
    Returns: scale and zero point; 1 and a zero point for a range that is 0 alone.
    Example:
        >>> s, z = scale_of(torch.tensor(-1.0), torch.tensor(3.0), (0.0, 255.0), symmetric=False)
        >>> round(s.item(), 6), z.item()
        (0.015686, 64.0)

    Source: Jacob et al., Quantization and training of neural networks for efficient
        integer-arithmetic-only inference, CVPR 2018, Eq. 1 and Section 3.
    """
    least, most = code_range
    low, high = low.clamp(max=0.0), high.clamp(min=0.0)
    if symmetric:
        scale = (torch.maximum(-low, high) if least < 0 else high) / most
    else:
        scale = (high - low) / (most - least)
    scale = torch.where(scale == 0.0, 1.0, scale)
    if power_of_two:
        mantissa, exponent = torch.frexp(scale)
        # 1/2 <= mantissa < 1, and powers of two stay as they are.
        scale = torch.ldexp(torch.ones_like(scale), exponent - (mantissa == 0.5).to(exponent.dtype))
    if symmetric:
        return scale, torch.zeros_like(scale)
    return scale, (least - (low / scale).round()).clamp(least, most)
