"""The count of steps since the last reset, for parameters with one value per step."""

from __future__ import annotations

import torch
from torch import Tensor

from snncore.errors import StateError
from snncore.state import MemoryModule
from snncore.step import locate

_PAST = (
    "{module} has parameters for {T} steps; {first} have been run since the last reset, and this "
    "call has {steps}. Call snncore.reset(net) before the next sequence."
)


def begin(
    module: MemoryModule, clock: Tensor | None, steps: int, T: int, *, past: str = _PAST
) -> int:
    """The step, of T, at which a call of ``steps`` steps begins.

    Args:
        module: whose steps they are, for the error.
        clock: the state that counts steps, equal for all neurons; None and an empty one are at 0.
        steps: how many the call runs.
        T: for how many there are parameters.
        past: text of the error; may hold {module}, {T}, {first}, {steps} and {last}.
    Raises: StateError when the call runs past T.
    """
    first = 0 if clock is None or clock.numel() == 0 else int(clock.flatten()[0])
    last = first + steps
    if last > T:
        where = locate(module)
        raise StateError(past.format(module=where, T=T, first=first, steps=steps, last=last))
    return first


def rows(module: MemoryModule, course: Tensor, clock: Tensor | None, steps: int) -> Tensor:
    """Those of ``[T, *]`` that belong to the next ``steps`` steps.

    Args:
        module, clock, steps: as for :func:`begin`.
        course: one value per step.
    Raises: StateError when the call runs past T.
    """
    if clock is None or clock.numel() == 0:
        clock = course.new_zeros(1)
    # A compiler cannot look at the value, and neither can a run without data.
    if not torch.compiler.is_compiling() and not clock.is_meta:
        begin(module, clock, steps, course.shape[0])
    start = clock.flatten()[:1].long()
    return course.index_select(0, start + torch.arange(steps, device=course.device))
