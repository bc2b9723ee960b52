"""Two cells over one sequence, one of them from its end."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from snn_neurons.recurrent.cell import SpikingCell, State
from snncore.errors import StateError
from snncore.step import MultiStepModule, StepMode, locate, set_step_mode


class Bidirectional(MultiStepModule):
    """Runs a cell forward and another backward in time, and joins their outputs.

    A sequence cannot be continued: the second cell began at its end. So every call takes a whole
    sequence, and needs a reset, or states of its own, before.

    Args:
        ahead, back: the cells, of one class and size.
    Shape: ``[T, N, *, input_size] -> [T, N, *, 2 hidden_size]``.
    Raises: StateError when the cells still hold the states of another sequence.
    """

    inner_step_mode: ClassVar[StepMode | None] = "m"

    def __init__(self, ahead: SpikingCell, back: SpikingCell) -> None:
        super().__init__()
        self.ahead = ahead
        self.back = back
        for cell in (ahead, back):
            set_step_mode(cell, "m")

    def forward(self, x: Tensor, hx: tuple[State, State] | None = None) -> Tensor:
        """``hx`` holds the states of both cells to begin with."""
        if hx is None and any(cell.continues() for cell in (self.ahead, self.back)):
            raise StateError(
                f"{locate(self)} holds the states of a sequence that it has seen from both ends, "
                "which no other can continue. Call snncore.reset(net) before the next sequence, "
                "or pass hx."
            )
        ahead, back = (None, None) if hx is None else hx
        first, second = self.ahead(x, hx=ahead), self.back(x.flip(0), hx=back)
        return torch.cat((first, second.flip(0)), -1)
