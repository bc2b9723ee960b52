"""Which backend runs each layer of a network, and why another does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from snncore.errors import BackendError
from snncore.kernels.backends import Plan, choose, example_shape, preferred
from snncore.registry import label
from snncore.state.memory import MemoryModule
from snncore.state.unroll import Given, OneStep
from snncore.step import StepMode, StepModule


@dataclass(frozen=True)
class Row:
    """One layer: its path, component, mode, backend, and the reasons against faster ones."""

    path: str
    layer: str
    step_mode: str
    backend: str
    reasons: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Explanation:
    """What :func:`explain` found; prints as a table."""

    rows: tuple[Row, ...]

    def __str__(self) -> str:
        head = ("path", "layer", "mode", "backend", "why not another")
        body = [
            (
                row.path or ".",
                row.layer,
                row.step_mode,
                row.backend,
                "; ".join(f"{name}: {reason}" for name, reason in row.reasons.items()),
            )
            for row in self.rows
        ]
        widths = [max(len(line[i]) for line in (head, *body)) for i in range(len(head))]
        lines = [
            "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
            for line in (head, *body)
        ]
        return "\n".join(lines)


def explain(net: nn.Module, x: Tensor | None = None) -> Explanation:
    """Says, layer by layer, which backend runs and why another does not.

    Args:
        net: any network; its time-aware and stateful layers are listed.
        x: an input whose device and dtype are meant; without it those of the first parameter,
            else float32 on the CPU.
    """
    parameter = next(net.parameters(), torch.empty(0))
    like = x if x is not None else torch.empty((), dtype=parameter.dtype, device=parameter.device)
    rows: list[Row] = []
    for path, module in net.named_modules():
        if not isinstance(module, StepModule):
            continue
        if hasattr(module, "backend") and isinstance(module, MemoryModule):
            rows.append(_kernel_row(path, module, like))
        elif isinstance(module, Loop):
            rows.append(_loop_row(path, module, like))
        elif not any(isinstance(child, StepModule) for child in module.children()):
            rows.append(Row(path, label(module), module.step_mode, "torch"))
        else:
            rows.append(Row(path, label(module), module.step_mode, "python loop"))
    return Explanation(tuple(rows))


@runtime_checkable
class Loop(Protocol):
    """A layer that runs what it holds step by step, or in one kernel where that is possible."""

    step_mode: StepMode

    def looped(self, x: Given) -> str | None:
        """Why it runs step by step on inputs like ``x``; None if one kernel does."""
        ...


def _loop_row(path: str, module: Loop, like: Tensor) -> Row:
    layer, mode = label(module), module.step_mode
    reason = module.looped(OneStep(torch.Size((2, 1)), like.dtype, like.device))
    if reason is None:
        return Row(path, layer, mode, "cpp")
    return Row(path, layer, mode, "python loop", {"cpp": reason})


def _kernel_row(path: str, module: MemoryModule, like: Tensor) -> Row:
    wanted = preferred(cast("str | None", module.backend))
    try:
        example = OneStep(example_shape(module), like.dtype, like.device)
        choice = choose(Plan.of(module, example), wanted)
    except BackendError as error:
        return Row(path, label(module), module.step_mode, "none", {str(wanted): str(error)})
    return Row(path, label(module), module.step_mode, choice.name, choice.rejected)
