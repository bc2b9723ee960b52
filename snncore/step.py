"""Step modes: ``"s"`` takes one time step ``[N, *]``, ``"m"`` a sequence ``[T, N, *]``."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from snncore.errors import StepModeError
from snncore.registry import label

StepMode: TypeAlias = Literal["s", "m"]


class StepModule(nn.Module):
    """A module that knows single-step and multi-step mode.

    ``step_modes`` names the modes it can run in; ``inner_step_mode`` fixes the mode of the
    modules inside it (recurrence runs its inside step by step whatever its own mode).
    """

    step_modes: ClassVar[tuple[StepMode, ...]] = ("s", "m")
    inner_step_mode: ClassVar[StepMode | None] = None
    _step_mode: StepMode = "s"

    @property
    def step_mode(self) -> StepMode:
        """``"s"`` or ``"m"``."""
        return self._step_mode

    @step_mode.setter
    def step_mode(self, mode: StepMode) -> None:
        if mode not in ("s", "m"):
            raise StepModeError(f"step_mode must be 's' or 'm', got {mode!r}")
        if mode not in self.step_modes:
            raise StepModeError(f"{locate(self)} runs only in step_mode {self.step_modes[0]!r}")
        self._step_mode = mode


class MultiStepModule(StepModule):
    """A module that takes whole sequences only."""

    step_modes: ClassVar[tuple[StepMode, ...]] = ("m",)
    _step_mode: StepMode = "m"


def set_step_mode(net: nn.Module, mode: StepMode) -> None:
    """Switches every :class:`StepModule` of ``net`` to ``mode``.

    A module that can run one way only keeps its mode, with a warning that names it. What lies
    inside a container with a fixed inner mode keeps that inner mode.

    Raises: StepModeError for a mode other than ``"s"`` and ``"m"``.
    """
    if mode not in ("s", "m"):
        raise StepModeError(f"step_mode must be 's' or 'm', got {mode!r}")
    kept: list[str] = []
    _switch(net, mode, "", kept, set())
    if kept:
        warnings.warn(
            f"kept in their only step mode instead of {mode!r}: {', '.join(kept)}", stacklevel=2
        )


def _switch(
    module: nn.Module, mode: StepMode, path: str, kept: list[str], seen: set[nn.Module]
) -> None:
    if module in seen:
        return
    seen.add(module)
    if isinstance(module, StepModule):
        if mode in module.step_modes:
            module.step_mode = mode
        else:
            kept.append(f"{path or 'the network'} ({label(module)})")
        mode = module.inner_step_mode or mode
    for name, child in module.named_children():
        _switch(child, mode, f"{path}.{name}" if path else name, kept, seen)


def multi_step_forward(x_seq: Tensor, module: Callable[[Tensor], Tensor]) -> Tensor:
    """Runs a single-step module over a sequence, step by step.

    Args:
        x_seq: ``[T, N, *]`` with T >= 1.
        module: takes ``[N, *]``.
    Returns: the stacked outputs ``[T, N, *]``.
    Raises: ValueError for T = 0, whose output shape only the module knows.
    """
    if x_seq.shape[0] == 0:
        raise ValueError(
            f"multi_step_forward needs at least one time step, got shape {tuple(x_seq.shape)}"
        )
    return torch.stack([module(x) for x in x_seq.unbind(0)])


def seq_to_ann_forward(x_seq: Tensor, module: Callable[[Tensor], Tensor]) -> Tensor:
    """Runs a stateless module on a sequence at once, with time merged into the batch.

    Args:
        x_seq: ``[T, N, *]``; T and N may be 0 where the module takes an empty batch.
        module: takes ``[T * N, *]``.
    Returns: ``[T, N, *]``.
    Raises: ValueError for an input with fewer than two dimensions.
    """
    return merge_time(module, x_seq)


def merge_time(module: Callable[..., Any], *inputs: Tensor, **options: Any) -> Any:
    """:func:`seq_to_ann_forward` for several inputs, options, and outputs in any nesting."""
    for x in inputs:
        if x.dim() < 2:
            raise ValueError(
                f"multi-step input has shape [T, N, *], got {tuple(x.shape)}; "
                "for one time step use step_mode 's'"
            )
    steps = inputs[0].shape[:2]
    result = module(*(x.flatten(0, 1) for x in inputs), **options)
    return tree_map_only(Tensor, lambda y: y.unflatten(0, steps), result)


def locate(module: nn.Module) -> str:
    """How error texts name a module: its path in the running network and its component name.

    The network is the outermost module on the call stack that holds ``module``; nothing is
    stored, so copies and moved modules cannot be misnamed.
    """
    outer: Any = module
    frame = sys._getframe(1)
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and any(m is module for m in owner.modules()):
            outer = owner
        frame = frame.f_back
    path = next(name for name, m in outer.named_modules() if m is module)
    return f"net.{path} ({label(module)})" if path else label(module)
