"""What gated cells have beyond plain ones: a candidate with a spike function of its own."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from snn_neurons.recurrent.cell import SpikingCell, Unit
from snn_neurons.recurrent.stack import SpikingStack
from snncore.surrogate import Surrogate, as_surrogate


class GatedUnit(Unit):
    """Base of units with gates and a candidate value that they let in.

    Args:
        surrogate: spike function of the gates.
        candidate_surrogate: that of the candidate; None for the same.
    """

    def __init__(
        self,
        surrogate: Surrogate | str | dict[str, Any],
        candidate_surrogate: Surrogate | str | dict[str, Any] | None,
    ) -> None:
        super().__init__(surrogate)
        own = candidate_surrogate
        self.candidate_surrogate = None if own is None else as_surrogate(own)

    def candidate(self, x: Tensor) -> Tensor:
        """Theta(x), with the candidate's derivative."""
        return (self.candidate_surrogate or self.surrogate)(x)


class GatedCell(SpikingCell):
    """Base of cells around a :class:`GatedUnit`."""

    unit: GatedUnit

    @property
    def candidate_surrogate(self) -> Surrogate | None:
        """The spike function of the candidate; None for that of the gates."""
        return self.unit.candidate_surrogate


class GatedStack(SpikingStack):
    """Base of stacks of a :class:`GatedCell`."""

    @property
    def candidate_surrogate(self) -> Surrogate | None:
        """The spike function of the candidate; None for that of the gates."""
        first = self.cells[0]
        return first.candidate_surrogate if isinstance(first, GatedCell) else None
