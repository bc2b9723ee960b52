"""Gaussian receptive fields, as population codes have them."""

from __future__ import annotations

import torch
from torch import Tensor


def activity(x: Tensor, mu: Tensor, sigma: Tensor) -> Tensor:
    """exp(-((x - mu) / sigma)^2 / 2) of every field: ``[*] -> [*, fields]``."""
    scaled = (x.unsqueeze(-1) - mu) / sigma
    return torch.exp(-0.5 * scaled * scaled)


def centres(low: float, high: float, fields: int, features: int | None) -> Tensor:
    """Evenly spaced from ``low`` to ``high``: ``[fields]``, or ``[features, fields]``."""
    row = torch.linspace(low, high, fields)
    return row if features is None else row.repeat(features, 1)
