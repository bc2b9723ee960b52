"""Ranges that augmentations draw from, and how they refuse wrong ones."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

Range: TypeAlias = float | tuple[float, float]
"""One number, or (least, greatest) of which one is drawn, each as likely."""


def around_zero(value: Range, *, name: str) -> tuple[float, float]:
    """(-m, m) of a number m, which may not be negative; a pair as it is.

    Raises: ValueError for anything else.

    Example:
        >>> around_zero(3, name="degrees"), around_zero((0, 90), name="degrees")
        ((-3, 3), (0, 90))
    """
    low, high = value if isinstance(value, tuple) else (-value, value)
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(
            f"{name} must be a number >= 0, of which both signs are drawn, or a pair (least, "
            f"greatest), got {value!r}"
        )
    return low, high


def within(value: Range, least: float, greatest: float, *, name: str) -> tuple[float, float]:
    """A number or a pair as a pair.

    Raises: ValueError if it leaves ``least`` to ``greatest``, or descends.

    Example:
        >>> within(0.2, 0, 1, name="fraction")
        (0.2, 0.2)
    """
    low, high = value if isinstance(value, tuple) else (value, value)
    if not least <= low <= high <= greatest:
        raise ValueError(
            f"{name} must be a number from {least:g} to {greatest:g}, or a pair (least, greatest) "
            f"of such numbers, got {value!r}"
        )
    return low, high


def whole_around_zero(
    value: int | tuple[int, int], *, name: str
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Ranges of whole pixels in x and in y, of one number for both or of one number each.

    Raises: ValueError for negative numbers or fractions of a pixel.

    Example:
        >>> whole_around_zero((4, 0), name="most")
        ((-4, 4), (0, 0))
    """
    x, y = value if isinstance(value, tuple) else (value, value)
    if not (isinstance(x, int) and isinstance(y, int) and x >= 0 and y >= 0):
        raise ValueError(
            f"{name} must be a whole number of pixels >= 0, or a pair (in x, in y) of such "
            f"numbers, got {value!r}"
        )
    return (-x, x), (-y, y)


def drawn(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    """A number between ``ends``; the generator is used even where they are equal."""
    return float(rng.uniform(*ends))


def happens(rng: np.random.Generator, probability: float) -> bool:
    """Whether something of this probability happens: never for 0, always for 1."""
    return bool(rng.random() < probability)


def check_probability(value: float) -> None:
    """Raises: ValueError unless 0 <= value <= 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"probability must be from 0 to 1, got {value!r}")


def check_duration(value: int, *, name: str) -> None:
    """Raises: ValueError unless it is a whole number of microseconds >= 0."""
    if not isinstance(value, int) or not 0 <= value < 1 << 62:
        raise ValueError(f"{name} must be a whole number of microseconds >= 0, got {value!r}")
