"""Prints scalar nodes as statements of Triton's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from snncore.kernels.emit.slots import Format, handed
from snncore.kernels.ir import Kind, Node

_INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "gt": ">",
    "ge": ">=",
    "lt": "<",
    "le": "<=",
    "eq": "==",
    "ne": "!=",
    "and": "&",
    "or": "|",
    "xor": "^",
    "shl": "<<",
    "shr": ">>",
}
_WHOLE: dict[Kind, str] = {"i": "tl.int32", "l": "tl.int64"}
# Values that change the code worth printing; all others are arguments.
_LITERALS = {"0.0": "zero", "1.0": "one", "-1.0": "minus_one"}


class Body:
    """Statements for a set of nodes. Every value is a block, so that none changes its type.

    Args:
        real: the type of the arithmetic as the language writes it.
        names: how inputs and known values are called.
    """

    def __init__(self, real: str, names: Mapping[int, str]) -> None:
        self.real_type = real
        self.names = dict(names)
        self.constants: list[float] = []
        self.lines: list[str] = []
        self._literals: set[str] = set()

    def add(self, nodes: Iterable[Node]) -> None:
        """Appends a statement for each node that has no name yet."""
        for node in nodes:
            if node.index in self.names:
                continue
            if node.op == "const":
                self.names[node.index] = self._constant(node)
                continue
            self.names[node.index] = f"v{node.index}"
            self.lines.append(f"v{node.index} = {self._expression(node)}")

    def __getitem__(self, node: Node) -> str:
        return self.names[node.index]

    def real(self, node: Node | None) -> str:
        """A node as a float; zero for None."""
        if node is None:
            return f"tl.full((BLOCK,), 0, {self.real_type})"
        return self[node] if node.kind == "f" else f"{self[node]}.to({self.real_type})"

    def loaded(self, found: str, element: Format, kind: Kind = "f") -> str:
        """A block of an array's elements as values of a kind."""
        if kind == "b":
            return f"{found} != 0"
        return found if element in ("i", "l") else f"{found}.to({self.real_type})"

    def filled(self, number: str, kind: Kind) -> str:
        """A block of one number."""
        if kind == "b":
            return f"tl.full((BLOCK,), {number}, tl.uint8) != 0"
        return f"tl.full((BLOCK,), {number}, {_WHOLE.get(kind, self.real_type)})"

    def constant_lines(self) -> list[str]:
        """What must be computed before the statements."""
        lines = [
            f"{name} = tl.full((BLOCK,), {text}, {self.real_type})"
            for text, name in _LITERALS.items()
            if name in self._literals
        ]
        # Scalar arguments would arrive rounded to float32; a table of float64 does not.
        lines += [
            f"k{i} = tl.full((BLOCK,), tl.load(numbers + {i}), {self.real_type})"
            for i in range(len(self.constants))
        ]
        return lines

    def _constant(self, node: Node) -> str:
        value = node.value
        if node.kind != "f":
            return f"tl.full((BLOCK,), {value}, {_WHOLE[node.kind]})"
        if repr(value) in _LITERALS:
            name = _LITERALS[repr(value)]
            self._literals.add(name)
            return name
        return handed(self.constants, float(value))

    def _expression(self, node: Node) -> str:
        a = [self.names[arg.index] for arg in node.args]
        if node.op in _INFIX:
            return f"{a[0]} {_INFIX[node.op]} {a[1]}"
        if node.op == "not":
            return f"~{a[0]}"
        if node.op == "neg" and node.kind in _WHOLE:
            return f"{a[0]} * -1"
        if node.op == "float":
            return f"{a[0]}.to({self.real_type})"
        if node.op in ("int", "long"):
            return f"{a[0]}.to({_WHOLE[node.kind]})"
        if node.op == "where":
            return f"tl.where({', '.join(a)})"
        return f"math.{node.op}({', '.join(a)})"
