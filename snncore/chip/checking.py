"""The checks that a chip's record alone decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from snncore.chip.capabilities import Capabilities, FloatGrid, Rule
from snncore.graph.nodes import Graph, Node
from snncore.graph.ops import Conv, Input, Linear, Neuron, Output, Previous, Select
from snncore.graph.report import Finding, Severity, Table
from snncore.registry import active

# Numbers of the rules that every chip shares; those of a chip's own begin at 100.
UNSUPPORTED_OP = 1
OP_PARAMETER = 2
UNSUPPORTED_NEURON = 3
NEURON_PARAMETER = 4
GRANULARITY = 5
BIAS = 6
NOT_FINITE = 7
ALL_ZERO = 8
TOPOLOGY = 9
RANK = 10
CAPACITY = 11
HALF_RANGE = 12

_ALWAYS = (Input, Output, Select, Previous)
_LEVELS = {"layer": 0, "channel": 1, "neuron": 2}


def check(graph: Graph, chip: Capabilities) -> tuple[Finding, ...]:
    """Every rule of a record that a graph breaks, not the first alone.

    Args:
        graph: after the chip's passes.
        chip: its record.
    """
    return (*_structure(graph, chip), *_nodes(graph, chip), *_capacity(graph, chip))


def resources(graph: Graph) -> Table:
    """Neurons, synapses and the largest number of inputs of a neuron, layer by layer.

    Synapses of a convolution are counted as connections, each time a weight is used; taps on
    padding are none.
    """
    rows = [
        (node.path or node.name, node.op.kind, *counts)
        for node in graph
        if any(counts := _counts(graph, node))
    ]
    columns = ("layer", "operation", "neurons", "synapses", "fan-in")
    total = ("all", "", sum(r[2] for r in rows), sum(r[3] for r in rows), _most(r[4] for r in rows))
    return Table("Resources", columns, (*rows, total))


def _most(values: Iterator[int]) -> int:
    return max(values, default=0)


def _finding(
    chip: Capabilities,
    number: int,
    severity: Severity,
    node: Node | None,
    what: str,
    *,
    value: object = "",
    allowed: object = "",
    why: str = "",
    fix: str = "",
) -> Finding:
    return Finding(
        code=f"{chip.prefix}{number:03d}",
        severity=severity,
        path="" if node is None else node.path or node.name,
        op="network" if node is None else node.op.kind,
        what=what,
        value=str(value),
        allowed=str(allowed),
        why=why,
        fix=fix,
    )


def _structure(graph: Graph, chip: Capabilities) -> Iterator[Finding]:
    shape = "dag"
    if graph.is_recurrent:
        shape = "recurrent"
    elif graph.is_sequential:
        shape = "sequential"
    order = ("sequential", "dag", "recurrent")
    if order.index(shape) > order.index(chip.topology):
        odd = next((n for n in graph if _leaves_the_chain(graph, n)), None)
        yield _finding(
            chip,
            TOPOLOGY,
            "error",
            odd,
            f"the form of the network is not supported on {chip.name}",
            value="feedback" if shape == "recurrent" else "branches",
            allowed=chip.topology,
            fix="make it a chain of layers"
            if chip.topology == "sequential"
            else "feed nothing back",
        )
    for node in graph:
        if len(node.shape) > chip.max_rank:
            yield _finding(
                chip,
                RANK,
                "error",
                node,
                "its output has too many axes",
                value=len(node.shape),
                allowed=f"at most {chip.max_rank}",
            )


def _leaves_the_chain(graph: Graph, node: Node) -> bool:
    return isinstance(node.op, Previous) or len(node.inputs) > 1 or len(graph.users[node.name]) > 1


def _nodes(graph: Graph, chip: Capabilities) -> Iterator[Finding]:
    for node in graph:
        if isinstance(node.op, _ALWAYS):
            continue
        if isinstance(node.op, Neuron):
            yield from _neuron(node, node.op, chip)
        else:
            yield from _op(node, chip)
        yield from _numbers(node, chip)


def _op(node: Node, chip: Capabilities) -> Iterator[Finding]:
    rule = chip.ops.get(type(node.op).__name__)
    if rule is None:
        yield _finding(
            chip,
            UNSUPPORTED_OP,
            "error",
            node,
            f"{chip.name} has nothing for it",
            allowed=", ".join(chip.ops),
            fix=chip.refused.get(
                type(node.op).__name__, "say it with these, or run it on the host"
            ),
        )
        return
    fields: Mapping[str, Any] = vars(node.op)
    yield from _parameters(node, chip, rule, fields, OP_PARAMETER)
    if getattr(node.op, "bias", None) is not None and chip.bias is None:
        yield _finding(
            chip,
            BIAS,
            "error",
            node,
            f"synapses of {chip.name} have no bias",
            fix=chip.refused.get("bias", "train with bias=False"),
        )


def _neuron(node: Node, op: Neuron, chip: Capabilities) -> Iterator[Finding]:
    rule = chip.neurons.get(op.name)
    if rule is None:
        yield _finding(
            chip,
            UNSUPPORTED_NEURON,
            "error",
            node,
            f"{chip.name} has no such neuron",
            allowed=", ".join(chip.neurons),
            fix=chip.refused.get(op.name, "train with one of these"),
        )
        return
    yield from _parameters(node, chip, rule, op.parameters, NEURON_PARAMETER)
    for name, value in op.parameters.items():
        if isinstance(value, Tensor) and _LEVELS[_granularity(value)] > _LEVELS[rule.granularity]:
            yield _finding(
                chip,
                GRANULARITY,
                "error",
                node,
                f"{name} differs within the layer",
                value=f"one per {_granularity(value)}",
                allowed=f"one per {rule.granularity}",
                why=rule.why,
                fix=rule.fixes.get(name, rule.fix) or f"give one number per {rule.granularity}",
            )


def _parameters(
    node: Node, chip: Capabilities, rule: Rule, given: Mapping[str, Any], number: int
) -> Iterator[Finding]:
    for name, allowed in rule.parameters.items():
        value = given.get(name)
        values = value.flatten().tolist() if isinstance(value, Tensor) else [value]
        wrong = [v for v in values if not allowed.allows(v)]
        if wrong:
            yield _finding(
                chip,
                number,
                "error",
                node,
                f"{name} is not supported",
                value=wrong[0],
                allowed=allowed,
                why=rule.why,
                fix=rule.fixes.get(name, rule.fix),
            )


def _numbers(node: Node, chip: Capabilities) -> Iterator[Finding]:
    for name, value in node.op.tensors.items():
        if value.is_floating_point() and not value.isfinite().all():
            bad = int((~value.isfinite()).sum())
            yield _finding(
                chip,
                NOT_FINITE,
                "error",
                node,
                f"{name} has values that are not finite",
                value=bad,
                fix="look where training went wrong: the learning rate, a division by zero",
            )
    weight = getattr(node.op, "weight", None)
    if not isinstance(weight, Tensor):
        return
    if not weight.any():
        yield _finding(
            chip,
            ALL_ZERO,
            "error",
            node,
            "all its weights are zero",
            fix="train it, or take the layer out",
        )
    if isinstance(chip.weight, FloatGrid):
        dtype = getattr(torch, chip.weight.dtype)
        rounded = weight.detach().to(dtype)
        flushed = int(((rounded == 0) & (weight != 0)).sum())
        over = int(rounded.isinf().sum() - weight.isinf().sum())
        for count, word in ((over, "overflow"), (flushed, "become 0")):
            if count:
                yield _finding(
                    chip,
                    HALF_RANGE,
                    "error" if word == "overflow" else "warn",
                    node,
                    f"weights {word} in {chip.weight.dtype}",
                    value=f"{count} of {weight.numel()}",
                )


def _granularity(value: Tensor) -> str:
    if value.numel() == 1:
        return "layer"
    rest = [size for size in value.shape if size != 1]
    return "channel" if len(rest) == 1 else "neuron"


def _counts(graph: Graph, node: Node) -> tuple[int, int, int]:
    """Neurons, synapses, and inputs of one neuron."""
    size = torch.Size(node.shape).numel()
    if isinstance(node.op, Neuron):
        # Layers with memory, such as delays, are no neurons.
        known = active().of_class(type(node.op.module))
        return (0 if known is not None and known.kind == "layer" else size), 0, 0
    if isinstance(node.op, Linear):
        fan_in = node.op.weight.shape[1]
        return 0, size * fan_in, fan_in
    if isinstance(node.op, Conv):
        given = graph.sources(node.name)[0].shape
        kernel = node.op.weight.shape[2:]
        per = node.op.weight.shape[0 if node.op.transposed else 1]
        per //= node.op.groups if node.op.transposed else 1
        with torch.no_grad():
            ones = type(node.op)(
                torch.ones(1, 1, *kernel),
                None,
                node.op.stride,
                node.op.padding,
                node.op.dilation,
                1,
                node.op.transposed,
                node.op.output_padding,
            )
            taps = ones.run(torch.ones(1, 1, *given[1:]))
        channels = node.op.channels
        return 0, int(taps.sum()) * per * channels, int(taps.max()) * per
    return 0, 0, 0


def _capacity(graph: Graph, chip: Capabilities) -> Iterator[Finding]:
    *rows, total = resources(graph).rows
    most = {"neurons": total[2], "synapses": total[3]}
    for name, limit in chip.limits.items():
        if name == "fan_in":
            over = [(row, row[4]) for row in rows if _above(row[4], limit.value)]
        else:
            used = most.get(name)
            over = [(total, used)] if used is not None and _above(used, limit.value) else []
        for row, used in over:
            yield Finding(
                code=f"{chip.prefix}{CAPACITY:03d}",
                severity="error" if limit.hard else "warn",
                path="" if row is total else str(row[0]),
                op="network" if row is total else str(row[1]),
                what=f"more {name.replace('_', '-')} than {chip.name} has",
                value=f"{used:,}",
                allowed=f"at most {limit.value:,g}",
                why=limit.source,
            )


def _above(used: Any, limit: float) -> bool:
    return used > limit
