"""Has the fault of the real one: a default that Python 3.11 does not take."""

from dataclasses import dataclass


@dataclass
class ByteEncoder:
    base: int = 0


@dataclass
class CoreEncoder:
    x: ByteEncoder = ByteEncoder()  # noqa: RUF009
