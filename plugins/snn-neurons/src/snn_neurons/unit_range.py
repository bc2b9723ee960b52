"""The input check that encoders share."""

from __future__ import annotations

from torch import Tensor


def check_unit_range(encoder: str, x: Tensor) -> None:
    """Raises ValueError unless every element of ``x`` lies in [0, 1]."""
    check_range(
        encoder, x, 0.0, 1.0, "scale the input, for example (x - x.min()) / (x.max() - x.min())"
    )


def check_range(
    encoder: str, x: Tensor, low: float | Tensor, high: float | Tensor, cure: str
) -> None:
    """Raises ValueError unless every element of ``x`` lies in [low, high].

    Args:
        encoder: the class, as the text names it.
        x: any shape.
        low: least value, or a tensor that broadcasts against x.
        high: greatest value, likewise.
        cure: what to do, as the end of the text.
    """
    if x.numel() == 0 or bool(((x >= low) & (x <= high)).all()):
        return
    raise ValueError(
        f"{encoder} takes values in [{_shown(low)}, {_shown(high)}], got {x.min().item():g} to "
        f"{x.max().item():g}; {cure}"
    )


def _shown(bound: float | Tensor) -> str:
    return f"{bound.tolist()}" if isinstance(bound, Tensor) else f"{bound:.9g}"
