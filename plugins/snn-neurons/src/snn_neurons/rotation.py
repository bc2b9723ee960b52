"""A damped rotation: how a linear resonator moves by itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def rotation(
    b: float | Tensor, omega: float | Tensor, dt: float | Tensor
) -> tuple[float | Tensor, float | Tensor]:
    """Real and imaginary part of e^((b + i omega) dt), exact for any dt."""
    angle = omega * dt
    decay = _exp(b * dt)
    if isinstance(angle, Tensor):
        return decay * torch.cos(angle), decay * torch.sin(angle)
    return decay * math.cos(angle), decay * math.sin(angle)


def _exp(value: float | Tensor) -> float | Tensor:
    return torch.exp(value) if isinstance(value, Tensor) else math.exp(value)
