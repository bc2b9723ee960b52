"""The input check that rate and latency encoders share."""

from __future__ import annotations

from torch import Tensor


def check_unit_range(encoder: str, x: Tensor) -> None:
    """Raises ValueError unless every element of ``x`` lies in [0, 1]."""
    if x.numel() == 0:
        return
    low, high = x.min().item(), x.max().item()
    if not (low >= 0.0 and high <= 1.0):
        raise ValueError(
            f"{encoder} takes values in [0, 1], got {low:g} to {high:g}; "
            "scale the input, for example (x - x.min()) / (x.max() - x.min())"
        )
