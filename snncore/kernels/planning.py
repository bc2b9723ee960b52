"""What a training run keeps in memory for each neuron layer, and why."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from snncore.kernels.backends import Plan, choose, preferred
from snncore.kernels.compiled import CompiledKernel
from snncore.kernels.ir import Node
from snncore.registry import label
from snncore.state.memory import MemoryModule
from snncore.state.pure import step_inputs
from snncore.state.unroll import arithmetic
from snncore.state.walks import memory_modules


@dataclass(frozen=True)
class LayerPlan:
    """One neuron layer.

    Args:
        path, layer, backend: which, and what runs it.
        keeps: what the backward needs beside gradients: inputs that are read again, and values
            that are kept or computed again.
        kept_bytes: memory that these values take per neuron and time step when kept.
        choice: "compute again" or "keep".
        why: the rule that chose.
    """

    path: str
    layer: str
    backend: str
    keeps: tuple[str, ...]
    kept_bytes: int
    choice: str
    why: str


@dataclass(frozen=True)
class MemoryPlan:
    """What :func:`plan` found; prints as lines."""

    layers: tuple[LayerPlan, ...]

    def __str__(self) -> str:
        return "\n".join(map(_sentence, self.layers))


def _sentence(row: LayerPlan) -> str:
    start = f"{row.path or 'the network'} ({row.layer}) on {row.backend}"
    if not row.keeps:
        return f"{start}: {row.why}"
    needs = f"needs {', '.join(row.keeps)}, {row.kept_bytes} bytes per neuron and step if kept"
    return f"{start}: {needs}; {row.choice}, because {row.why}"


def plan(net: nn.Module, x: Tensor | tuple[Tensor, ...]) -> MemoryPlan:
    """Says what the neurons of ``net`` keep for the backward of a run on ``x``.

    Args:
        net: any network; neurons on a compiled backend are listed with their saved values,
            others by their backend alone.
        x: an input as the network takes it, in its current step mode.
    """
    shapes = step_inputs(net, x)
    rows = [
        _row(path, module, shapes[path][0])
        for path, module in memory_modules(net)
        if path in shapes and hasattr(module, "backend")
    ]
    return MemoryPlan(tuple(rows))


def _row(path: str, module: MemoryModule, x: Tensor) -> LayerPlan:
    named: str | None = getattr(module, "backend", None)
    asked = Plan.of(module, x)
    choice = choose(asked, preferred(named))
    kernel = choice.backend.compile(asked)
    if not isinstance(kernel, CompiledKernel):
        return LayerPlan(
            path,
            label(module),
            choice.name,
            (),
            0,
            "keep",
            "autograd keeps what each of its operations asks for",
        )
    wide = arithmetic(x.dtype)
    saves = kernel.program(x.shape, wide).saves
    size = sum(1 if node.kind == "b" else wide.itemsize for node in saves if node.role != "x")
    return LayerPlan(
        path,
        label(module),
        choice.name,
        tuple(map(_name, saves)),
        size,
        "compute again",
        "computing a step again halves the memory and costs about as much as reading it back",
    )


def _name(node: Node) -> str:
    if node.op == "in":
        return {"x": "the input", "state": "a state before the step"}.get(node.role, node.role)
    return f"{node.op} (value {node.index} of the step)"
