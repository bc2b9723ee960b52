"""Memory that is easiest to say for a whole sequence."""

from __future__ import annotations

from snncore.state.memory import MemoryModule
from snncore.state.unroll import Tensors


class SequenceModule(MemoryModule):
    """A module with memory that writes :meth:`sequence`; one step is a sequence of length 1.

    ``sequence(inputs, states) -> (outputs, states)`` takes and gives ``[T, N, *]``, for any T.
    """

    def single(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """One step."""
        outputs, states = self.sequence(tuple(x.unsqueeze(0) for x in inputs), states)
        return tuple(y.squeeze(0) for y in outputs), states
