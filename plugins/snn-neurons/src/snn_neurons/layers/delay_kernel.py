"""Delays as kernels over time, so that they can be learnt."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

DelayKernel: TypeAlias = Literal["gaussian", "linear"]
"""``gaussian``: exp(-(k - d)^2 / (2 sigma^2));  ``linear``: max(0, 1 + sigma - |k - d|)."""

SHARP = 0.23
"""A Gaussian of this width holds 0.9998 of its mass at one step."""


def smooth_kernel(delay: Tensor, sigma: Tensor, last: int, shape: DelayKernel) -> Tensor:
    """Weights of the delays 0 .. ``last``, around ``delay``, with sum 1.

    Args:
        delay: in steps, any shape; beyond [0, last] it counts as the nearest end, and its gradient
            still leads back inside.
        sigma: width in steps, > 0 for ``gaussian``, >= 0 for ``linear``.
        last: the longest delay.
        shape: ``gaussian`` or ``linear``.
    Returns: ``[*delay.shape, last + 1]``.
    Source: Khalfaoui-Hassani et al., Dilated convolution with learnable spacings beyond bilinear
        interpolation, 2023; Hammouamri et al., ICLR 2024.
    """
    inside = delay + (delay.clamp(0, last) - delay).detach()
    steps = torch.arange(last + 1, device=delay.device, dtype=delay.dtype)
    distance = steps - inside.unsqueeze(-1)
    if shape == "gaussian":
        # A softmax is that normed exponential, and exact for any width.
        return torch.softmax(-0.5 * (distance / sigma) ** 2, -1)
    weights = (1.0 + sigma - distance.abs()).relu()
    return weights / weights.sum(-1, keepdim=True)


def integer_kernel(delay: Tensor, last: int) -> Tensor:
    """1 at the rounded delay, else 0: what :func:`smooth_kernel` tends to as sigma shrinks.

    Returns: ``[*delay.shape, last + 1]``.
    """
    steps = delay.detach().round().clamp(0, last).long()
    return nn.functional.one_hot(steps, last + 1).to(delay.dtype)


def delayed(line: Tensor, kernel: Tensor, groups: int = 1) -> Tensor:
    """Sums of earlier inputs: Y[t] = sum_k kernel[..., k] X[t - k].

    Args:
        line: ``[K - 1 + T, N, in]``: K - 1 earlier inputs, then those of the T steps.
        kernel: ``[out, in / groups, K]``, the weight of delay k last.
        groups: as in :func:`torch.nn.functional.conv1d`.
    Returns: ``[T, N, out]``.
    """
    steps = line.shape[0] - kernel.shape[-1] + 1
    if steps <= 0 or not line.shape[1]:
        # A convolution takes no input that is shorter than its kernel.
        return line.new_zeros(max(steps, 0), line.shape[1], kernel.shape[0])
    along = line.permute(1, 2, 0)
    y = nn.functional.conv1d(along, kernel.flip(-1).to(line.dtype), groups=groups)
    return y.permute(2, 0, 1)
