"""Time as the last axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from snncore.layers import Linear
from snncore.step import MultiStepModule, StepMode, locate, set_step_mode


def _example() -> nn.Module:
    return TLast(Linear(6, 5), nn.Tanh())


class TLast(MultiStepModule):
    """Runs modules on sequences that have time last, as some data and networks do.

    Y[..., t] = M(X)[t],  where the modules M see X[t] = x[..., t]: time first, in mode "m"

    Args:
        modules: applied in order.
    Shape: ``[N, *, T]`` in and out.
    Raises: ValueError for an input with fewer than two axes.
    Example:
        >>> TLast(nn.Flatten(2))(torch.zeros(5, 2, 3, 8)).shape
        torch.Size([5, 6, 8])

    Source: layout of Shrestha and Orchard, SLAYER, NeurIPS 2018; SpikingJelly (Science Advances
        2023), containers.
    """

    inner_step_mode: ClassVar[StepMode | None] = "m"
    conformance: ClassVar[Mapping[str, Any]] = {
        "example": _example,
        "time_axis": -1,
        "configurable": False,
        "reason": "a single step has no time axis that could be last; its modules are given one by "
        "one, not as plain values",
    }

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.inside = nn.Sequential(*modules)
        set_step_mode(self.inside, "m")

    def forward(self, x: Tensor) -> Tensor:
        """``[N, *, T] -> [N, *, T]``."""
        if x.dim() < 2:
            raise ValueError(f"{locate(self)} takes [N, *, T], got {list(x.shape)}")
        return self.inside(x.movedim(-1, 0)).movedim(0, -1)
