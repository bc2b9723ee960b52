"""Layers with parameters of their own for each of T time steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from snn_neurons.clock import begin
from snn_neurons.layers.sequence_module import SequenceModule
from snncore.state.unroll import Given
from snncore.step import StepMode

_PAST = (
    "{module} has parameters for T = {T} time steps, and step {last} came. Call snncore.reset(net) "
    "before the next sequence, or build it with a larger T."
)


class CountedModule(SequenceModule):
    """Counts the steps since reset, because each of the first T has parameters of its own.

    Args:
        T: number of time steps, >= 1.
        step_mode: "s" or "m".
    Raises: ValueError if T < 1; StateError past step T.
    """

    states: ClassVar[Mapping[str, float]] = {"t": 0.0}

    def __init__(self, T: int, step_mode: StepMode) -> None:
        super().__init__()
        if T < 1:
            raise ValueError(f"{type(self).__name__}: T must be >= 1, got {T}")
        self.T = T
        self.step_mode = step_mode

    def state_like(self, name: str, *inputs: Given) -> tuple[torch.Size, torch.dtype]:
        """One integer."""
        return torch.Size(()), torch.int64

    def place(self, t: Tensor, steps: int) -> slice:
        """Which of the T steps a sequence of ``steps`` covers, of which ``t`` are over.

        Raises: StateError past step T.
        """
        first = begin(self, t, steps, self.T, past=_PAST)
        return slice(first, first + steps)
