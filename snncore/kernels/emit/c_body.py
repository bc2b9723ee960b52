"""Prints scalar nodes as C statements, for C++ and for CUDA."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

from snncore.kernels.emit.slots import Format, handed
from snncore.kernels.ir import Function, Kind, Node

TYPES: dict[Kind, str] = {"f": "S", "b": "bool", "i": "i32", "l": "i64"}
ELEMENTS: dict[Format, str] = {**TYPES, "b": "u8", "bf16": "u16", "fp16": "u16"}
"""What arrays hold."""

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
    "quotient": "/",
    "shl": "<<",
    "shr": ">>",
}
# Values that change the code worth printing; all other floats are arguments. Integers are printed:
# they are scales and widths of a chip, and a division by one becomes shifts and products.
_LITERALS = (0.0, 1.0, -1.0)


class Body:
    """Statements for a set of nodes.

    Args:
        names: how inputs and known values are called.
        constants: collects the numbers that the kernel is handed.
    """

    def __init__(self, names: Mapping[int, str], constants: list[float]) -> None:
        self.names = dict(names)
        self.constants = constants
        self.lines: list[str] = []
        self._calls: dict[object, list[str]] = {}

    def add(self, nodes: Iterable[Node]) -> None:
        """Appends a statement for each node that has no name yet."""
        for node in nodes:
            if node.index in self.names:
                continue
            if node.op == "const":
                self.names[node.index] = self._constant(node)
                continue
            if node.function:
                self.names[node.index] = self._results(node.function, node)[node.place]
                continue
            name = self.names[node.index] = f"v{node.index}"
            self.lines.append(f"const {TYPES[node.kind]} {name} = {self._expression(node)};")

    def _results(self, function: Function, node: Node) -> list[str]:
        call = (function, *(arg.index for arg in node.args))
        if call not in self._calls:
            names = [f"v{node.index}_{i}" for i in range(function.results)]
            given = ", ".join([*(self.real(arg) for arg in node.args), *names])
            self.lines += [f"S {', '.join(names)};", f"{function.name}({given});"]
            self._calls[call] = names
        return self._calls[call]

    def __getitem__(self, node: Node) -> str:
        return self.names[node.index]

    def real(self, node: Node | None) -> str:
        """A node as a float; 0 for None."""
        return "(S)0" if node is None else _real(self[node], node.kind)

    def _constant(self, node: Node) -> str:
        value = node.value
        if node.kind != "f":
            # The least int64 has no literal.
            return f"({TYPES[node.kind]})({value + 1}LL - 1)"
        if value in _LITERALS and repr(value) != "-0.0":
            return f"(S){value:g}"
        return handed(self.constants, float(value))

    def _expression(self, node: Node) -> str:
        a = [self.names[arg.index] for arg in node.args]
        if node.op in _INFIX:
            return f"{a[0]} {_INFIX[node.op]} {a[1]}"
        if node.op == "neg":
            return f"-{a[0]}"
        if node.op == "not":
            return f"!{a[0]}" if node.kind == "b" else f"~{a[0]}"
        if node.op == "float":
            return _real(a[0], node.args[0].kind)
        if node.op in ("int", "long"):
            # A cast of a flag would keep gcc from vectorising the loop.
            to = TYPES[node.kind]
            return f"{a[0]} ? ({to})1 : ({to})0" if node.args[0].kind == "b" else f"({to}){a[0]}"
        if node.op == "where":
            return f"{a[0]} ? {a[1]} : {a[2]}"
        return f"snn_{node.op}({', '.join(a)})"


def prelude(inline: str, maths: str, *, double: bool) -> list[str]:
    """What stands before a kernel.

    Args:
        inline: what makes a function one of the kernel's own.
        maths: file of the language's functions.
    """
    here = resources.files("snncore.kernels.emit")
    return [
        f"typedef {'double' if double else 'float'} S;",
        f"#define SNN_INLINE {inline}",
        here.joinpath("scalar.h").read_text(),
        here.joinpath(maths).read_text(),
    ]


def defined(before: Sequence[str], functions: Iterable[Function]) -> list[str]:
    """Functions that a kernel calls, under a beginning; later lines keep their numbers."""
    lines = [*before, *dict.fromkeys(function.text for function in functions)]
    if len(lines) > len(before):
        lines.append(f'#line {sum(line.count(chr(10)) + 1 for line in lines) + 2} "kernel"')
    return lines


def loaded(slot_kind: Format, place: str, kind: Kind) -> str:
    """An array's element as a value of a kind."""
    if kind == "b":
        return f"{place} != 0"
    return f"snn_from_{slot_kind}({place})" if slot_kind in ("bf16", "fp16") else place


def stored(slot_kind: Format, body: Body, node: Node) -> str:
    """A value as an array's element."""
    if slot_kind in ("bf16", "fp16"):
        return f"snn_to_{slot_kind}({body.real(node)})"
    return body.real(node) if slot_kind == "f" else body[node]


def _real(name: str, kind: Kind) -> str:
    if kind == "b":
        # A cast of a flag would keep gcc from vectorising the loop.
        return f"({name} ? (S)1 : (S)0)"
    return name if kind == "f" else f"(S){name}"
