"""What a monitor has recorded, by path, and how it is kept: whole, or folded as it comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor


class Memory(Protocol):
    """How the values of one place are kept."""

    def reserve(self) -> int:
        """A slot for the next value, in the order of the forward calls."""
        ...

    def put(self, slot: int, value: Tensor) -> None:
        """Takes ``[T, *]``; a slot may be filled later than the next, by gradients."""
        ...

    def result(self) -> Tensor | None:
        """What has come so far; None before the first value."""
        ...


class Whole:
    """Keeps every value, joined along time."""

    def __init__(self) -> None:
        self._values: list[Tensor | None] = []

    def reserve(self) -> int:
        """The next slot."""
        self._values.append(None)
        return len(self._values) - 1

    def put(self, slot: int, value: Tensor) -> None:
        """Gradients of several backward passes add up, as in ``.grad``."""
        held = self._values[slot]
        self._values[slot] = value if held is None else held + value

    def result(self) -> Tensor | None:
        """``[T, *]``; a step that no gradient reached is zero."""
        filled = next((value for value in self._values if value is not None), None)
        if filled is None:
            return None
        blank = torch.zeros_like(filled)
        return torch.cat([blank if value is None else value for value in self._values])


class Records(Mapping[str, Tensor]):
    """What has been recorded so far: ``records[path]``, readable during and after the watch.

    It holds no module, so it may outlive the network.
    """

    def __init__(self, memories: Mapping[str, Memory]) -> None:
        self._memories = memories

    def __getitem__(self, path: str) -> Tensor:
        if path not in self._memories:
            known = ", ".join(map(repr, self._memories))
            raise KeyError(f"{path!r} is not watched; watched are {known}")
        found = self._memories[path].result()
        if found is None:
            raise KeyError(
                f"{path!r} has recorded nothing: it has not run inside the 'with' block, or, for "
                "gradients, no backward pass has reached it there"
            )
        return found

    def __iter__(self) -> Iterator[str]:
        return (path for path, memory in self._memories.items() if memory.result() is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        shapes: Sequence[str] = [f"{path!r}: {list(value.shape)}" for path, value in self.items()]
        return f"Records({', '.join(shapes)})"
