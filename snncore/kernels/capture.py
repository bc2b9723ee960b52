"""Captures one time step with its gradient as a scalar program between two torch graphs.

Nodes of the joint trace are split by what they depend on: parameters only (prologue, run by torch
once per call), per neuron (the scalar program), and what follows a sum over neurons (epilogue,
run by torch once per call).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils._pytree import tree_flatten

from snncore.kernels.ir import Kind, Node, Program
from snncore.kernels.lowering import MOVES, SELECTS, rules
from snncore.kernels.tensors import tensors_of
from snncore.kernels.trace import Trace, Unsupported, trace
from snncore.state.memory import MemoryModule

aten = torch.ops.aten

KINDS: dict[torch.dtype, Kind] = {torch.bool: "b", torch.int32: "i", torch.int64: "l"}
"""The kinds of what is no float."""


@dataclass(frozen=True)
class Captured:
    """A step as a scalar program between two torch graphs.

    Args:
        program: all scalar nodes.
        values: outputs and new states of the step, in this order.
        grads: gradients of inputs and old states, in this order; None where there is none.
        sums: what is summed over time for the epilogue.
        prologue: parameters -> values that the program reads as role ``"param"``.
        epilogue: parameters and those sums -> gradients of the parameters that learn.
        learned: positions of the parameters that learn.
        states: how many states the step has.
    """

    program: Program
    values: tuple[Node, ...]
    grads: tuple[Node | None, ...]
    sums: tuple[Node, ...]
    prologue: fx.GraphModule
    epilogue: fx.GraphModule | None
    learned: tuple[int, ...]
    states: int


def capture(module: MemoryModule, shape: torch.Size, dtype: torch.dtype) -> Captured:
    """Captures ``module.step`` for inputs and states of one shape.

    Args:
        module: its ``step`` is pure and elementwise.
        shape: of one time step.
        dtype: of the arithmetic.
    Raises: Unsupported naming the operation and the user's line.
    """
    return _Split(trace(module, shape, dtype), module, shape, dtype).result()


class _Split:
    """Sorts the nodes of a joint graph into prologue, program and epilogue."""

    def __init__(
        self, found: Trace, module: MemoryModule, shape: torch.Size, dtype: torch.dtype
    ) -> None:
        self.graph, self.learned, self.lines = found.graph, found.learned, found.lines
        self.shape, self.dtype = shape, dtype
        self.program = Program()
        self.rules = rules(self.program)
        self.scalar: dict[fx.Node, Node] = {}
        self.early: set[fx.Node] = set()
        self.late: set[fx.Node] = set()
        self.read: list[fx.Node] = []
        self.reduced: list[fx.Node] = []
        states = len(module.states)
        roles = [
            *[("param", 0)] * len(tensors_of(module)),
            *[("x", i) for i in range(module.inputs)],
            *[("state", i) for i in range(states)],
            *[("gout", i) for i in range(module.outputs)],
            *[("gstate", i) for i in range(states)],
        ]
        self.places = [node for node in self.graph.graph.nodes if node.op == "placeholder"]
        for node, (role, place) in zip(self.places, roles, strict=True):
            if role == "param":
                self.early.add(node)
            else:
                self.scalar[node] = self.program.input(role, place)
        self.states = states
        self.inner = module.inputs + states

    def result(self) -> Captured:
        output = next(node for node in self.graph.graph.nodes if node.op == "output")
        for node in self.graph.graph.nodes:
            if node.op == "call_function":
                self._sort(node)
            elif node.op == "get_attr":
                self.early.add(node)
        flat, _ = tree_flatten(output.args)
        steps = len(flat) - self.inner - len(self.learned)
        values = tuple(self._node(node) for node in flat[:steps])
        grads = tuple(
            None if node is None else self._node(node) for node in flat[steps : steps + self.inner]
        )
        to_params = flat[steps + self.inner :]
        # A parameter of one value per neuron gets its gradient without a sum over neurons.
        for node in to_params:
            if node in self.scalar and node not in self.reduced:
                self.reduced.append(node)
        sums = tuple(self._node(node) for node in self.reduced)
        return Captured(
            self.program,
            values,
            grads,
            sums,
            self._part(self.read, ()),
            self._part(to_params, self.reduced) if self.learned else None,
            self.learned,
            self.states,
        )

    def _sort(self, node: fx.Node) -> None:
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            raise Unsupported(
                f"{node.target} draws random numbers{self._line(node)}; pass the noise in as a "
                "further input, drawn by torch outside the step"
            )
        above = node.all_input_nodes
        if any(parent in self.late for parent in above):
            # What the program reads of the prologue is known to the epilogue too.
            if any(parent in self.scalar and parent not in self.early for parent in above):
                raise Unsupported(
                    f"{node.target} mixes neurons with a sum over them{self._line(node)}"
                )
            self.late.add(node)
        elif all(parent in self.early for parent in above):
            self.early.add(node)
        elif self._packet(node) is aten.sum:
            # The kernel sums over time, the epilogue over neurons, in torch's own order.
            (summed,) = node.all_input_nodes
            if summed not in self.reduced:
                self.reduced.append(summed)
            self.late.add(node)
        else:
            self.scalar[node] = self._lower(node)
            if self._mutates(node):
                self.scalar[node.all_input_nodes[0]] = self.scalar[node]

    def _line(self, node: fx.Node) -> str:
        line = self.lines.get(self._packet(node))
        return f" at {line}" if line else ""

    def _packet(self, node: fx.Node) -> Any:
        """The operation, without the underscore of its in-place form."""
        packet: Any = getattr(node.target, "overloadpacket", node.target)
        if self._mutates(node):
            return getattr(aten, packet.__name__.removesuffix("_"))
        return packet

    def _mutates(self, node: fx.Node) -> bool:
        name = getattr(getattr(node.target, "overloadpacket", None), "__name__", "")
        return name.endswith("_") and not name.endswith("__")

    def _lower(self, node: fx.Node) -> Node:
        packet = self._packet(node)
        found: Tensor = node.meta["val"]
        kind = self._kind(found.dtype, node)
        if packet is aten._to_copy:
            return self.program.cast(self._node(node.args[0]), kind)
        if packet is aten.full_like:
            return self.program.cast(self._node(node.args[1], kind), kind)
        if packet in (aten.zeros_like, aten.ones_like):
            return self.program.cast(self._node(int(packet is aten.ones_like), kind), kind)
        rule = self.rules.get(packet)
        if rule is None or found.shape != self.shape:
            what = "is not pointwise"
            if rule is not None:
                what = f"changes the shape to {list(found.shape)}"
            raise Unsupported(f"{node.target} {what}{self._line(node)}")
        given = node.args[:1] if packet in MOVES else node.args
        options = {} if packet in MOVES else node.kwargs
        common = self._common(node, [*given[packet in SELECTS :], *options.values()])
        arguments = [self._argument(a, common) for a in given]
        if packet in SELECTS:
            arguments[0] = self._argument(given[0], "b")
        try:
            result = rule(*arguments, **{k: self._argument(v, common) for k, v in options.items()})
        except TypeError as error:
            raise Unsupported(f"{node.target} is used with options{self._line(node)}") from error
        except ValueError as error:
            raise Unsupported(f"{node.target} {error}{self._line(node)}") from error
        return self.program.cast(result, kind)

    def _argument(self, value: Any, kind: Kind) -> Any:
        if value is None or isinstance(value, str):
            return value
        return self.program.cast(self._node(value, kind), kind)

    def _common(self, node: fx.Node, values: Sequence[Any]) -> Kind:
        """The kind that torch promotes the values to."""
        like = [self._value(v) if isinstance(v, fx.Node) else v for v in values]
        first, *others = [v for v in like if isinstance(v, (Tensor, int, float))]
        # Beside the first, only clamp takes two; its bounds are of one kind.
        return self._kind(torch.result_type(first, others[0] if others else first), node)

    def _kind(self, dtype: torch.dtype, node: fx.Node) -> Kind:
        if dtype in KINDS:
            return KINDS[dtype]
        if not dtype.is_floating_point:
            raise Unsupported(
                f"{node.target} computes in {dtype}{self._line(node)}; integers of a step are "
                "int32 or int64"
            )
        if dtype != self.dtype:
            raise Unsupported(
                f"{node.target} computes in {dtype}{self._line(node)}, in a step that runs in "
                f"{self.dtype}"
            )
        return "f"

    def _node(self, value: Any, kind: Kind = "f") -> Node:
        """The scalar node of an fx node or number; a parameter's value becomes an input.

        Args:
            kind: of a number.
        """
        if isinstance(value, (int, float)):
            return self.program.const(int(value) if isinstance(value, bool) else value, kind)
        if not isinstance(value, fx.Node):
            raise Unsupported(f"a step may not depend on {value!r}")
        if value in self.scalar:
            return self.scalar[value]
        if value in self.late:
            raise Unsupported("a value of the step depends on a sum over neurons")
        dtype = self._value(value).dtype
        # Floats of any width are read in that of the arithmetic.
        own = "f" if dtype.is_floating_point else self._kind(dtype, value)
        constant = _constant(value)
        if constant is not None:
            return self.program.const(constant, own)
        if value not in self.read:
            self.read.append(value)
        self.scalar[value] = self.program.input("param", self.read.index(value), own)
        return self.scalar[value]

    def _value(self, node: fx.Node) -> Tensor:
        if node.op == "get_attr":
            return getattr(self.graph, str(node.target))
        return node.meta["val"]

    def _part(self, wanted: Sequence[fx.Node | None], given: Sequence[fx.Node]) -> fx.GraphModule:
        """The torch graph from parameters and ``given`` to ``wanted``."""
        part = fx.Graph()
        copies: dict[fx.Node, fx.Node] = {}
        for place in self.places:
            if place in self.early:
                copies[place] = part.placeholder(place.name)
        for node in given:
            copies[node] = part.placeholder(node.name)
        keep = {node for node in wanted if node is not None}
        stack = [node for node in keep if node not in given]
        while stack:
            for parent in stack.pop().all_input_nodes:
                if parent not in keep and parent not in given:
                    keep.add(parent)
                    stack.append(parent)
        for node in self.graph.graph.nodes:
            if node in keep and node not in copies:
                copies[node] = part.node_copy(node, lambda n: copies[n])
        part.output(tuple(None if node is None else copies[node] for node in wanted))
        return fx.GraphModule(self.graph, part)


def _constant(node: fx.Node) -> float | int | None:
    target = getattr(node.target, "overloadpacket", node.target)
    if target in (aten.scalar_tensor, aten.full):
        value = node.args[-1] if target is aten.full else node.args[0]
        return value if isinstance(value, (int, float)) else None
    return None
