"""What a printed kernel takes, in the order in which it takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch

Role: TypeAlias = Literal[
    "x",  # input sequence, read with a time stride
    "start",  # initial state [N]
    "param",  # value that does not depend on time
    "out",  # output sequence
    "final",  # last state [N]
    "trace",  # state sequence
    "save",  # value kept for the backward, a sequence
    "mark",  # state before every k-th step, a sequence of the k-th steps
    "gout",  # gradient of an output, a sequence
    "gfinal",  # gradient of a last state [N]; null for 0
    "gtrace",  # gradient of a state sequence
    "gx",  # gradient of an input, a sequence
    "gstart",  # gradient of an initial state [N]
    "sum",  # gradient of a parameter's value, summed over time [N]
    "weight",  # square matrix that feeds a sequence back into another
    "fed",  # an input sequence with what is fed back into it
    "last",  # the output before the first step [N]
    "gfed",  # gradients of outputs with what is fed back into them
    "glast",  # gradient of that output before the first step [N]
]
Format: TypeAlias = Literal["f", "b", "i", "l", "bf16", "fp16"]
"""Of an array's elements: the arithmetic's float, a flag in a byte, int32, int64, half floats."""

PER_NEURON = frozenset({"start", "final", "gfinal", "gstart", "sum", "last", "glast"})
"""Roles of arrays without time."""

BEGINS = frozenset({"start", "gfinal"})
"""Those from which carried values begin; one value may stand for all neurons."""

HALVES: dict[torch.dtype, Format] = {torch.bfloat16: "bf16", torch.float16: "fp16"}


def dtype_of(element: Format, arithmetic: torch.dtype) -> torch.dtype:
    """torch's name of an array's elements."""
    if element == "f":
        return arithmetic
    whole = {"b": torch.uint8, "i": torch.int32, "l": torch.int64}
    halves = {name: dtype for dtype, name in HALVES.items()}
    return whole.get(element) or halves[element]


def handed(constants: list[float], value: float) -> str:
    """The name of a number that a kernel is handed, which joins ``constants`` if it is new.

    Example:
        >>> handed([0.5, 2.5], 2.5)
        'k1'
    """
    # repr tells 0.0 from -0.0 and makes NaN equal to itself.
    known = [repr(number) for number in constants]
    if repr(value) not in known:
        constants.append(value)
        known.append(repr(value))
    return f"k{known.index(repr(value))}"


@dataclass(frozen=True)
class Slot:
    """One array of a kernel.

    Args:
        role, place: what it is.
        kind: of its elements.
    """

    role: Role
    place: int
    kind: Format = "f"

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
        scratch: numbers per time step of a stretch and neuron that each thread needs beside.
    """

    text: str
    slots: tuple[Slot, ...]
    constants: tuple[float, ...]
    scratch: int = 0
