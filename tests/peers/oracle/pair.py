"""A model that two libraries define, and a difference between them that has a reason."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor

from oracle.side import Leaves, Side

Variant: TypeAlias = Mapping[str, Any]
"""Settings by our names."""


def drive(shape: tuple[int, ...] = (16, 3, 5), low: float = -0.6, high: float = 1.9) -> Drawn:
    """Uniform input that makes most neurons fire, but not at each step."""

    def draw(generator: torch.Generator) -> Tensor:
        drawn = torch.rand(shape, dtype=torch.float64, generator=generator)
        return low + (high - low) * drawn

    return draw


Drawn: TypeAlias = Callable[[torch.Generator], Tensor]


@dataclass(frozen=True)
class Pair:
    """A component of ours beside the same model of another library.

    Args:
        kind, name: of our component.
        library, theirs: the other one.
        ours: our side in a variant.
        peer: the other side in the same variant; it takes its parameters from our leaves.
        variants: settings in which both run.
        start: the range of each state before the first step; a state without starts by itself.
        draws: the input, with time first.
        mapping: in words, what turns our settings into theirs where that is more than a name.
        spikes: whether outputs are spikes, which must be equal, not only close.
        detached: states that no gradient enters or leaves, by what the model says.
    """

    kind: str
    name: str
    library: str
    theirs: str
    ours: Callable[[Variant], Side]
    peer: Callable[[Variant, Leaves], Side]
    variants: tuple[Variant, ...] = ({},)
    start: Mapping[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    draws: Drawn = field(default_factory=drive)
    mapping: str = ""
    spikes: bool = True
    detached: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What names it in a test and on the page."""
        return f"{self.kind} {self.name} = {self.library} {self.theirs}"


@dataclass(frozen=True)
class Difference:
    """Where another library departs from the same model.

    Args:
        kind, name: of our component.
        library, theirs: the other one.
        shows: raises AssertionError unless the difference is as its docstring says, which also
            says why ours is as it is.
    """

    kind: str
    name: str
    library: str
    theirs: str
    shows: Callable[[], None]

    @property
    def words(self) -> str:
        """What differs, and why."""
        return " ".join(inspect.cleandoc(self.shows.__doc__ or "").split())

    @property
    def label(self) -> str:
        """What names it in a test."""
        return f"{self.kind} {self.name} / {self.library} {self.theirs} / {self.shows.__name__}"
