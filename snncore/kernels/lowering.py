"""ATen operations as scalar operations: one table.

A rule is given its values in the kind that torch promotes them to, and may raise ValueError with
what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from snncore.kernels.ir import Node, Program

Rule = Callable[..., Node]
aten = torch.ops.aten

# Their first argument is no number, and their result is of the kind of the others.
SELECTS = frozenset({aten.where})
# What only moves values, whose further arguments are no values.
MOVES = frozenset({aten.expand, aten.view, aten.clone, aten.alias, aten.detach, aten.contiguous})
_WIDTH = {"i": 32, "l": 64}


def rules(program: Program) -> dict[Any, Rule]:
    """What each supported ATen operation becomes, by its overload packet."""
    op, const = program.op, program.const

    def plain(name: str) -> Rule:
        return lambda *args: op(name, *args)

    def real(name: str) -> Rule:
        return lambda *args: op(name, *(program.cast(a, "f") for a in args))

    def scaled(name: str) -> Rule:
        def rule(a: Node, b: Node, alpha: Node | None = None) -> Node:
            return op(name, a, b if alpha is None else op("mul", alpha, b))

        return rule

    def clamp(a: Node, low: Node | None = None, high: Node | None = None) -> Node:
        a = a if low is None else op("max", a, low)
        return a if high is None else op("min", a, high)

    def divide(a: Node, b: Node, rounding_mode: str | None = None) -> Node:
        if a.kind not in _WIDTH:
            if rounding_mode == "floor":
                raise ValueError("rounds a quotient of floats down")
            quotient = op("div", *(program.cast(node, "f") for node in (a, b)))
            return quotient if rounding_mode is None else op("trunc", quotient)
        if rounding_mode is None:
            return op("div", program.cast(a, "f"), program.cast(b, "f"))
        _check_divisor(b)
        return op("quotient" if rounding_mode == "trunc" else "floor_quotient", a, b)

    def remainder(a: Node, b: Node) -> Node:
        if a.kind not in _WIDTH:
            raise ValueError("takes the remainder of floats; torch.fmod can become a kernel")
        _check_divisor(b)
        return op("remainder", a, b)

    def fmod(a: Node, b: Node) -> Node:
        if a.kind not in _WIDTH:
            return op("fmod", a, b)
        _check_divisor(b)
        return op("sub", a, op("mul", op("quotient", a, b), b))

    def shift(name: str) -> Rule:
        def rule(a: Node, b: Node) -> Node:
            width = _WIDTH.get(a.kind, 0)
            if b.op != "const" or not 0 <= b.value < width:
                raise ValueError(f"shifts by what is no constant from 0 to {max(width - 1, 0)}")
            return op(name, a, b)

        return rule

    def power(a: Node, b: Node) -> Node:
        if a.kind in _WIDTH and not (b.op == "const" and b.value == 2):
            raise ValueError("raises an integer to another power than 2")
        return op("mul", a, a) if a.kind in _WIDTH else op("pow", a, b)

    def logical(name: str) -> Rule:
        return lambda *args: op(name, *(program.cast(a, "b") for a in args))

    def relu(a: Node) -> Node:
        return op("max", a, const(0, a.kind))

    table: dict[Any, Rule] = {
        aten.add: scaled("add"),
        aten.sub: scaled("sub"),
        aten.rsub: lambda a, b, alpha=None: scaled("sub")(b, a, alpha),
        aten.reciprocal: lambda a: op("div", const(1.0), program.cast(a, "f")),
        aten.rsqrt: lambda a: op("div", const(1.0), op("sqrt", program.cast(a, "f"))),
        aten.square: lambda a: op("mul", a, a),
        aten.copy: lambda a, b: b,
        aten.clamp: clamp,
        aten.clamp_min: clamp,
        aten.clamp_max: lambda a, high: op("min", a, high),
        aten.relu: relu,
        aten.where: plain("where"),
        aten.div: divide,
        aten.floor_divide: lambda a, b: divide(a, b, "floor"),
        aten.remainder: remainder,
        aten.fmod: fmod,
        aten.pow: power,
        aten.sigmoid_backward: lambda g, y: op("mul", g, op("mul", op("sub", const(1.0), y), y)),
        aten.tanh_backward: lambda g, y: op("mul", g, op("sub", const(1.0), op("mul", y, y))),
    }
    for name in ("mul", "gt", "ge", "lt", "le", "eq", "ne", "neg", "abs", "sign"):
        table[getattr(aten, name)] = plain(name)
    for name in ("sqrt", "exp", "expm1", "log", "log1p", "tanh", "sigmoid", "sin", "cos", "atan"):
        table[getattr(aten, name)] = real(name)
    for name in ("erf", "erfc"):
        table[getattr(aten, name)] = real(name)
    for name in ("floor", "ceil", "round", "trunc"):
        table[getattr(aten, name)] = lambda a, name=name: a if a.kind in _WIDTH else op(name, a)
    table[aten.maximum] = plain("max")
    table[aten.minimum] = plain("min")
    for name in ("and", "or", "xor", "not"):
        table[getattr(aten, f"logical_{name}")] = logical(name)
        table[getattr(aten, f"bitwise_{name}")] = plain(name)
        if name != "not":
            table[getattr(aten, f"__{name}__")] = plain(name)
    for name, ways in {"shl": ("lshift", "left"), "shr": ("rshift", "right")}.items():
        table[getattr(aten, f"__{ways[0]}__")] = shift(name)
        table[getattr(aten, f"bitwise_{ways[1]}_shift")] = shift(name)
    for packet in (*MOVES, aten.lift_fresh_copy):
        table[packet] = lambda a: a
    return table


def _check_divisor(b: Node) -> None:
    # A division by zero would end the process; a constant also becomes shifts and products.
    if b.op != "const" or b.value == 0:
        raise ValueError("divides integers by what is no constant, or by 0")
