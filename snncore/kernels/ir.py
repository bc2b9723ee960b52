"""The scalar program of one neuron and one time step: a hash-consed graph of pointwise operations.

Building the same operation on the same arguments twice gives one node, so values shared by a
step and its gradient are computed once. Rewrites are exact for NaN, infinities and -0.0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["f", "b", "i", "l"]
"""Of a value: a float of the arithmetic's type, a flag, an int32, an int64."""

COMPARE = frozenset({"gt", "ge", "lt", "le", "eq", "ne"})
LOGIC = frozenset({"and", "or", "xor", "not"})
ARITHMETIC = frozenset({"add", "sub", "mul", "div", "max", "min", "pow", "fmod"})
UNARY = frozenset(
    {
        "neg",
        "abs",
        "sqrt",
        "exp",
        "expm1",
        "log",
        "log1p",
        "tanh",
        "sigmoid",
        "sin",
        "cos",
        "atan",
        "erf",
        "erfc",
        "floor",
        "ceil",
        "round",
        "trunc",
        "sign",
    }
)
SELECT = frozenset({"where"})
# Conversions by what they give.
CASTS: dict[str, Kind] = {"float": "f", "int": "i", "long": "l"}
# Of integers alone; the second argument is a constant. ``quotient`` rounds toward zero as C does,
# ``floor_quotient`` down, and ``remainder`` has the sign of the divisor.
INTEGER = frozenset({"quotient", "floor_quotient", "remainder", "shl", "shr"})
OPERATIONS = COMPARE | LOGIC | ARITHMETIC | UNARY | SELECT | INTEGER | CASTS.keys()


@dataclass(frozen=True)
class Function:
    """A C function of floats that a program calls.

    Args:
        name: unique among those that one kernel calls.
        text: its definition; it gives its results through references after its arguments.
        results: how many.
    """

    name: str
    text: str
    results: int


@dataclass(frozen=True, eq=False)
class Node:
    """One value. ``op`` is an operation, ``"const"``, or ``"in"`` for a kernel input.

    One result of a C function is a ``"call"``; the others are its twins with another ``place``.

    Args:
        index: position in creation order, which is a topological order.
        value: of a constant.
        role, place: which input, for instance ``("state", 0)``; which result of a call.
        function: of a call.
    """

    index: int
    op: str
    args: tuple[Node, ...] = ()
    kind: Kind = "f"
    value: float | int = 0.0
    role: str = ""
    place: int = 0
    function: Function | None = None


class Program:
    """A growing set of nodes."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[object, Node] = {}

    def _make(
        self,
        op: str,
        args: tuple[Node, ...] = (),
        kind: Kind = "f",
        value: float | int = 0.0,
        role: str = "",
        place: int = 0,
        function: Function | None = None,
    ) -> Node:
        # repr tells 0.0 from -0.0 and makes NaN equal to itself.
        key = (op, tuple(arg.index for arg in args), kind, repr(value), role, place, function)
        if key not in self._known:
            node = Node(len(self.nodes), op, args, kind, value, role, place, function)
            self.nodes.append(node)
            self._known[key] = node
        return self._known[key]

    def input(self, role: str, place: int, kind: Kind = "f") -> Node:
        """A value that the kernel is given."""
        return self._make("in", kind=kind, role=role, place=place)

    def const(self, value: float | int, kind: Kind = "f") -> Node:
        """A constant; a number that is no integer stays a float."""
        whole = kind in "il" and isinstance(value, int)
        return self._make("const", (), kind if whole else "f", value if whole else float(value))

    def cast(self, node: Node, kind: Kind) -> Node:
        """``node`` as a value of another kind."""
        if node.kind == kind:
            return node
        if kind == "b":
            return self.op("ne", node, self.const(0, node.kind))
        return self.op(next(name for name, gives in CASTS.items() if gives == kind), node)

    def call(self, function: Function, *args: Node) -> tuple[Node, ...]:
        """What a C function gives."""
        places = range(function.results)
        return tuple(self._make("call", args, place=i, function=function) for i in places)

    def op(self, name: str, *args: Node) -> Node:
        """An operation, after exact simplification.

        Raises: ValueError for an unknown operation.
        """
        if name not in OPERATIONS:
            raise ValueError(f"no scalar operation {name!r}")
        simpler = self._simplify(name, args)
        if simpler is not None:
            return simpler
        return self._make(name, args, _kind(name, args))

    def _simplify(self, name: str, args: tuple[Node, ...]) -> Node | None:
        if CASTS.get(name) == args[0].kind:
            return args[0]
        if name in CASTS and args[0].op == "const" and args[0].kind != "b":
            return self._constant(args[0], CASTS[name])
        if name == "mul" and _is(args[1], 1.0):
            return args[0]
        if name == "mul" and _is(args[0], 1.0):
            return args[1]
        if name == "div" and _is(args[1], 1.0):
            return args[0]
        if name == "div" and args[1].op == "const" and _inverts_exactly(args[1].value):
            # A product takes a tenth of the time, and nobody can tell the two apart.
            return self.op("mul", args[0], self.const(1.0 / args[1].value))
        if name == "sub" and _is(args[1], 0.0) and math.copysign(1.0, args[1].value) > 0:
            return args[0]
        if name == "neg" and args[0].op == "neg":
            return args[0].args[0]
        if name == "where" and args[1] is args[2]:
            return args[1]
        if name == "pow" and _is(args[1], 1.0):
            return args[0]
        if name == "pow" and _is(args[1], 2.0):
            return self.op("mul", args[0], args[0])
        return None

    def _constant(self, node: Node, kind: Kind) -> Node | None:
        if kind == "f":
            return self.const(float(node.value))
        # What a compiler makes of a NaN or of what is out of range stays its own matter.
        return self.const(int(node.value), kind) if abs(node.value) < 2**31 else None


def needed(roots: Iterable[Node], known: Iterable[Node] = ()) -> list[Node]:
    """What must be computed for ``roots`` when ``known`` are given, in topological order."""
    stop = {node.index for node in known}
    seen: dict[int, Node] = {}
    stack = [root for root in roots if root.index not in stop]
    while stack:
        node = stack.pop()
        if node.index in seen:
            continue
        seen[node.index] = node
        stack += [arg for arg in node.args if arg.index not in stop and arg.index not in seen]
    return [seen[index] for index in sorted(seen)]


def inputs(nodes: Iterable[Node], role: str) -> Iterator[Node]:
    """The inputs of one role among ``nodes``."""
    return (node for node in nodes if node.op == "in" and node.role == role)


def _is(node: Node, value: float) -> bool:
    return node.op == "const" and node.value == value


def _inverts_exactly(value: float) -> bool:
    """Whether a number is a power of two with an inverse that float32 holds without loss."""
    mantissa, exponent = math.frexp(value)
    return abs(mantissa) == 0.5 and abs(exponent) <= 125


def _kind(name: str, args: tuple[Node, ...]) -> Kind:
    if name in COMPARE:
        return "b"
    if name in CASTS:
        return CASTS[name]
    return args[1].kind if name == "where" else args[0].kind
