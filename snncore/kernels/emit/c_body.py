"""Prints scalar nodes as C statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from snncore.kernels.ir import Node

_INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
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
_LITERALS = (0.0, 1.0, -1.0)


class Body:
    """Statements for a set of nodes.

    Args:
        names: how inputs and known values are called.
    """

    def __init__(self, names: Mapping[int, str], constants: list[float]) -> None:
        self.names = dict(names)
        self.constants = constants
        self.lines: list[str] = []

    def add(self, nodes: Iterable[Node]) -> None:
        """Appends a statement for each node that has no name yet."""
        for node in nodes:
            if node.index in self.names:
                continue
            if node.op == "const":
                self.names[node.index] = self._constant(node.value)
                continue
            name = f"v{node.index}"
            kind = "bool" if node.kind == "b" else "S"
            self.lines.append(f"const {kind} {name} = {self._expression(node)};")
            self.names[node.index] = name

    def __getitem__(self, node: Node) -> str:
        return self.names[node.index]

    def _constant(self, value: float) -> str:
        if value in _LITERALS and repr(value) != "-0.0":
            return f"(S){value:g}"
        for place, known in enumerate(self.constants):
            if repr(known) == repr(value):
                return f"k{place}"
        self.constants.append(value)
        return f"k{len(self.constants) - 1}"

    def _expression(self, node: Node) -> str:
        a = [self.names[arg.index] for arg in node.args]
        if node.op in _INFIX:
            return f"{a[0]} {_INFIX[node.op]} {a[1]}"
        if node.op == "neg":
            return f"-{a[0]}"
        if node.op == "not":
            return f"!{a[0]}"
        if node.op == "float":
            # A cast of a flag would keep gcc from vectorising the loop.
            return f"{a[0]} ? (S)1 : (S)0"
        if node.op == "where":
            return f"{a[0]} ? {a[1]} : {a[2]}"
        return f"snn_{node.op}({', '.join(a)})"
