"""Numbers of bits: their check and the codes they hold."""

from __future__ import annotations

MOST_BITS = 24
"""Codes of that many bits are exact in float32."""


def check_bits(owner: object, bits: int, least: int = 1, most: int = MOST_BITS) -> None:
    """Raises ValueError, naming the class of ``owner``, unless least <= bits <= most."""
    if not least <= bits <= most:
        raise ValueError(f"{type(owner).__name__}: bits must be from {least} to {most}, got {bits}")


def codes_of(bits: int, signed: bool) -> tuple[float, float]:
    """Least and greatest code: two's complement, or from 0.

    Example:
        >>> codes_of(8, True), codes_of(8, False)
        ((-128.0, 127.0), (0.0, 255.0))
    """
    if signed:
        return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1.0
    return 0.0, 2.0**bits - 1.0
