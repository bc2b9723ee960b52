"""Prints scalar nodes as statements of Triton's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from snncore.kernels.ir import Node

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
}
# Values that change the code worth printing; all others are arguments.
_LITERALS = {"0.0": "zero", "1.0": "one", "-1.0": "minus_one"}


class Body:
    """Statements for a set of nodes. Every value is a block, so that none changes its type.

    Args:
        real: the type of the arithmetic as the language writes it.
        names: how inputs and known values are called.
    """

    def __init__(self, real: str, names: Mapping[int, str]) -> None:
        self.real = real
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
                self.names[node.index] = self._constant(node.value)
                continue
            self.names[node.index] = f"v{node.index}"
            self.lines.append(f"v{node.index} = {self._expression(node)}")

    def value(self, node: Node | None) -> str:
        """A node as a float; zero for None."""
        if node is None:
            return f"tl.full((BLOCK,), 0, {self.real})"
        name = self.names[node.index]
        return f"{name}.to({self.real})" if node.kind == "b" else name

    def constant_lines(self) -> list[str]:
        """What must be computed before the statements."""
        lines = [
            f"{name} = tl.full((BLOCK,), {text}, {self.real})"
            for text, name in _LITERALS.items()
            if name in self._literals
        ]
        # Scalar arguments would arrive rounded to float32; a table of float64 does not.
        lines += [
            f"k{i} = tl.full((BLOCK,), tl.load(numbers + {i}), {self.real})"
            for i in range(len(self.constants))
        ]
        return lines

    def _constant(self, value: float) -> str:
        if repr(value) in _LITERALS:
            name = _LITERALS[repr(value)]
            self._literals.add(name)
            return name
        for place, known in enumerate(self.constants):
            if repr(known) == repr(value):
                return f"k{place}"
        self.constants.append(value)
        return f"k{len(self.constants) - 1}"

    def _expression(self, node: Node) -> str:
        a = [self.names[arg.index] for arg in node.args]
        if node.op in _INFIX:
            return f"{a[0]} {_INFIX[node.op]} {a[1]}"
        if node.op == "not":
            return f"~{a[0]}"
        if node.op == "float":
            return f"{a[0]}.to({self.real})"
        if node.op == "where":
            return f"tl.where({', '.join(a)})"
        return f"math.{node.op}({', '.join(a)})"
