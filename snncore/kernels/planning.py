"""What a training run keeps in memory for each neuron layer, and why."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from snncore.kernels.backends import Plan, choose, preferred
from snncore.kernels.compiled import CompiledKernel
from snncore.kernels.emit.slots import dtype_of
from snncore.kernels.explanation import Loop
from snncore.kernels.ir import Node
from snncore.kernels.program import AGAIN, KEEP, MARKS, Way
from snncore.registry import label
from snncore.state.memory import MemoryModule
from snncore.state.pure import step_inputs
from snncore.state.unroll import Given, arithmetic
from snncore.state.walks import memory_modules


@dataclass(frozen=True)
class LayerPlan:
    """One neuron layer.

    Args:
        path, layer, backend: which, and what runs it.
        needs: what the backward needs beside gradients: inputs that are read again, and values
            that are kept or computed again.
        needed_bytes: memory that these values take per neuron and time step when kept.
        saved_bytes: memory that the forward leaves, per neuron and time step.
        way: "keep", "again" or "marks", as :mod:`snncore.kernels.program` has them.
        why: the rule that chose.
    """

    path: str
    layer: str
    backend: str
    needs: tuple[str, ...]
    needed_bytes: float
    saved_bytes: float
    way: str
    why: str


@dataclass(frozen=True)
class MemoryPlan:
    """What :func:`plan` found; prints as lines."""

    layers: tuple[LayerPlan, ...]

    def __str__(self) -> str:
        return "\n".join(map(_sentence, self.layers))


_FED_BACK = Way(KEEP, "the input with what is fed back is kept anyhow")
_SAYS = {
    KEEP: "these are saved",
    AGAIN: "nothing is saved, they are computed again",
    MARKS: "states are saved now and then, they are computed again from there",
}


def _sentence(row: LayerPlan) -> str:
    start = f"{row.path or 'the network'} ({row.layer}) on {row.backend}"
    if not row.needs:
        return f"{start}: {row.why}"
    return (
        f"{start}: the backward needs {', '.join(row.needs)} ({row.needed_bytes:g} bytes per "
        f"neuron and step); {_SAYS[row.way]} ({row.saved_bytes:g} bytes), because {row.why}"
    )


def plan(net: nn.Module, x: Tensor | tuple[Tensor, ...]) -> MemoryPlan:
    """Says what the neurons of ``net`` keep for the backward of a run on ``x``.

    Args:
        net: any network; neurons on a compiled backend are listed with their saved values,
            others by their backend alone.
        x: an input as the network takes it, in its current step mode.
    """
    shapes = step_inputs(net, x)
    steps = (x if isinstance(x, Tensor) else x[0]).shape[0]
    modules = {path: module for path, module in memory_modules(net) if path in shapes}
    fed = {
        f"{path}.sub_module".lstrip(".")
        for path, module in modules.items()
        if isinstance(module, Loop) and module.looped(shapes[path][0]) is None
    }
    rows = [
        _row(
            path,
            module,
            shapes[path][0],
            steps if module.step_mode == "m" or path in fed else 1,
            _FED_BACK if path in fed else None,
        )
        for path, module in modules.items()
        if hasattr(module, "backend")
    ]
    return MemoryPlan(tuple(rows))


def _row(path: str, module: MemoryModule, x: Given, steps: int, way: Way | None) -> LayerPlan:
    named: str | None = getattr(module, "backend", None)
    asked = Plan.of(module, x)
    choice = choose(asked, preferred(named))
    kernel = choice.backend.compile(asked)
    if not isinstance(kernel, CompiledKernel):
        why = "autograd keeps what each of its operations asks for"
        return LayerPlan(path, label(module), choice.name, (), 0, 0, KEEP, why)
    program = kernel.program(x.shape, arithmetic(x.dtype))
    way = way or kernel.target.way(steps, x.shape.numel())

    def size(name: str) -> float:
        left = program.left(name, steps)
        return sum(rows * dtype_of(kind, program.dtype).itemsize for rows, kind in left) / steps

    return LayerPlan(
        path,
        label(module),
        choice.name,
        tuple(map(_name, program.saves)),
        size(KEEP),
        size(way.name),
        way.name,
        way.why,
    )


def _name(node: Node) -> str:
    if node.op == "in":
        return {"x": "the input", "state": "a state before the step"}.get(node.role, node.role)
    return f"{node.op} (value {node.index} of the step)"
