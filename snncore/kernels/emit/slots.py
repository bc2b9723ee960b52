"""What a printed kernel takes, in the order in which it takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Role: TypeAlias = Literal[
    "x",  # input sequence, read with a time stride
    "start",  # initial state [N]
    "param",  # value that does not depend on time
    "out",  # output sequence
    "final",  # last state [N]
    "trace",  # state sequence
    "save",  # value kept for the backward, a sequence
    "gout",  # gradient of an output, a sequence
    "gfinal",  # gradient of a last state [N]; may be null
    "gtrace",  # gradient of a state sequence
    "gx",  # gradient of an input, a sequence
    "gstart",  # gradient of an initial state [N]
    "sum",  # gradient of a parameter's value, summed over time [N]
]


@dataclass(frozen=True)
class Slot:
    """One array of a kernel.

    Args:
        role, place: what it is.
        kind: "f" for floats of the arithmetic's type, "b" for bytes.
    """

    role: Role
    place: int
    kind: Literal["f", "b"] = "f"

    @property
    def name(self) -> str:
        """How the text calls it."""
        return f"{self.role}{self.place}"


@dataclass(frozen=True)
class Source:
    """The text of one kernel and what it takes.

    Args:
        text: complete translation unit with one function ``snn_kernel``.
        slots: arrays in order.
        constants: numbers handed over at each call, so that sweeps share a binary.
        scratch: bytes per time step and neuron that each thread needs beside.
    """

    text: str
    slots: tuple[Slot, ...]
    constants: tuple[float, ...]
    scratch: int = 0
