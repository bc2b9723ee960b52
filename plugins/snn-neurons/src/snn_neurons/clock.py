"""The count of steps since the last reset, for parameters with one value per step."""

from __future__ import annotations

import torch
from torch import Tensor

from snncore.errors import StateError
from snncore.state import MemoryModule
from snncore.step import locate


def rows(module: MemoryModule, course: Tensor, clock: Tensor | None, steps: int) -> Tensor:
    """Those of ``[T, *]`` that belong to the next ``steps`` steps.

    Args:
        module: whose steps they are, for the error.
        course: one value per step.
        clock: the state that counts steps, equal for all neurons; None and an empty one are at 0.
        steps: how many the call runs.
    Raises: StateError when that runs past T.
    """
    if clock is None or clock.numel() == 0:
        clock = course.new_zeros(1)
    start = clock.flatten()[:1].long()
    # A compiler cannot look at the value, and neither can a run without data.
    if not torch.compiler.is_compiling() and not start.is_meta:
        first = int(start.item())
        if first + steps > course.shape[0]:
            raise StateError(
                f"{locate(module)} has parameters for {course.shape[0]} steps; {first} have been "
                f"run since the last reset, and this call has {steps}. Call snncore.reset(net) "
                "before the next sequence."
            )
    return course.index_select(0, start + torch.arange(steps, device=course.device))
