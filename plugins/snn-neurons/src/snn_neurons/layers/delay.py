"""An integer delay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Ge
from torch import Tensor

from snn_neurons.layers.delay_line import DelayLine
from snncore.step import StepMode


class Delay(DelayLine):
    """Gives each input some steps later; the first outputs are zero.

    Y[t] = X[t - delay],  X[t] = 0 for t < 0

    Args:
        delay: number of steps, >= 0.
        step_mode: "s" or "m".
    Shape: x [N, *] or [T, N, *]; output like x; state queue [delay, N, *], oldest first.
    Raises: ValueError for a negative delay; StateError when the queue does not fit the input.
    Example:
        >>> Delay(2, step_mode="m")(torch.arange(1.0, 6.0).view(5, 1)).flatten().tolist()
        [0.0, 0.0, 1.0, 2.0, 3.0]

    Source: SpikingJelly (Science Advances 2023), delays; Maass and Schmitt, On the complexity of
        learning for spiking neurons with temporal coding, Information and Computation 1999.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": ({"delay": 2}, {"delay": 0}, {"delay": 9}),
    }

    def __init__(self, delay: Annotated[int, Ge(0)], *, step_mode: StepMode = "s") -> None:
        super().__init__(delay, step_mode)
        self.delay = delay

    def read(self, line: Tensor, steps: int) -> Tensor:
        """The oldest."""
        return line[:steps]

    def extra_repr(self) -> str:
        """The delay."""
        return f"{self.delay}, step_mode={self.step_mode!r}"
