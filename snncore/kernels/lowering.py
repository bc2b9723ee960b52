"""ATen operations as scalar operations: one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from snncore.kernels.ir import Node, Program

Rule = Callable[..., Node]
aten = torch.ops.aten


def rules(program: Program) -> dict[Any, Rule]:
    """What each supported ATen operation becomes, by its overload packet."""
    op, const = program.op, program.const

    def binary(name: str) -> Rule:
        return lambda a, b: op(name, _float(program, a), _float(program, b))

    def unary(name: str) -> Rule:
        return lambda a: op(name, _float(program, a))

    def add(a: Node, b: Node, alpha: Node | None = None) -> Node:
        b = _float(program, b)
        return op("add", _float(program, a), b if alpha is None else op("mul", alpha, b))

    def sub(a: Node, b: Node, alpha: Node | None = None) -> Node:
        b = _float(program, b)
        return op("sub", _float(program, a), b if alpha is None else op("mul", alpha, b))

    def clamp(a: Node, low: Node | None = None, high: Node | None = None) -> Node:
        a = a if low is None else op("max", a, low)
        return a if high is None else op("min", a, high)

    def where(mask: Node, a: Node, b: Node) -> Node:
        if a.kind != b.kind:
            a, b = _float(program, a), _float(program, b)
        return op("where", mask, a, b)

    def same(a: Node, *_: Any, **__: Any) -> Node:
        return a

    def relu(a: Node) -> Node:
        return op("max", a, const(0.0))

    table: dict[Any, Rule] = {
        aten.add: add,
        aten.sub: sub,
        aten.rsub: lambda a, b, alpha=None: sub(b, a, alpha),
        aten.reciprocal: lambda a: op("div", const(1.0), a),
        aten.rsqrt: lambda a: op("div", const(1.0), op("sqrt", a)),
        aten.square: lambda a: op("mul", a, a),
        aten.copy: lambda a, b: b,
        aten.clamp: clamp,
        aten.clamp_min: clamp,
        aten.clamp_max: lambda a, high: op("min", a, high),
        aten.relu: relu,
        aten.where: where,
        aten.sigmoid_backward: lambda g, y: op("mul", g, op("mul", op("sub", const(1.0), y), y)),
        aten.tanh_backward: lambda g, y: op("mul", g, op("sub", const(1.0), op("mul", y, y))),
    }
    for name in ("mul", "div", "pow", "fmod", "gt", "ge", "lt", "le", "eq", "ne"):
        table[getattr(aten, name)] = binary(name)
    for name in ("neg", "abs", "sqrt", "exp", "expm1", "log", "log1p", "tanh", "sigmoid", "sin"):
        table[getattr(aten, name)] = unary(name)
    for name in ("cos", "atan", "erf", "erfc", "floor", "ceil", "round", "trunc", "sign"):
        table[getattr(aten, name)] = unary(name)
    table[aten.maximum] = binary("max")
    table[aten.minimum] = binary("min")
    for name in ("and", "or", "xor"):
        table[getattr(aten, f"logical_{name}")] = lambda a, b, name=name: op(name, a, b)
        table[getattr(aten, f"bitwise_{name}")] = lambda a, b, name=name: op(name, a, b)
    table[aten.logical_not] = table[aten.bitwise_not] = lambda a: op("not", a)
    for name in ("alias", "detach", "clone", "expand", "view", "lift_fresh_copy", "contiguous"):
        table[getattr(aten, name)] = same
    return table


def _float(program: Program, node: Node) -> Node:
    return program.op("float", node)
