"""Changes of a graph that keep what it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor

from snncore.graph.nodes import Graph, Node
from snncore.graph.ops import BatchNorm, Conv, Dropout, Identity, Linear


@dataclass(frozen=True)
class Note:
    """What a pass did, or why it left something.

    Args:
        name: of the pass.
        path: the user's module that it is about.
        text: one sentence.
    """

    name: str
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.path or 'the network'}: {self.text}"


Pass: TypeAlias = Callable[[Graph], tuple[Graph, tuple[Note, ...]]]
"""A pure function; the graph that it is given stays as it is."""


def run_passes(graph: Graph, passes: Iterable[Pass]) -> tuple[Graph, tuple[Note, ...]]:
    """One pass after the other, with all their notes.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from snncore.graph import trace
        >>> net = nn.Sequential(nn.Linear(3, 2), nn.Dropout(), nn.Identity()).eval()
        >>> graph = trace(net, torch.zeros(1, 3))
        >>> graph, notes = run_passes(graph, [drop_dropout, drop_identities])
        >>> [node.name for node in graph], len(notes)
        (['x', '0', 'output'], 2)
    """
    notes: list[Note] = []
    for change in passes:
        graph, said = change(graph)
        notes += said
    return graph, tuple(notes)


def drop_dropout(graph: Graph) -> tuple[Graph, tuple[Note, ...]]:
    """Takes dropout out: it is silent after training."""
    return _drop(graph, Dropout, "drop_dropout", "dropout is silent after training")


def drop_identities(graph: Graph) -> tuple[Graph, tuple[Note, ...]]:
    """Takes out what gives its input on unchanged."""
    return _drop(graph, Identity, "drop_identities", "it gives its input on unchanged")


def _drop(
    graph: Graph, kind: type[Dropout | Identity], name: str, text: str
) -> tuple[Graph, tuple[Note, ...]]:
    notes = tuple(Note(name, node.path, text) for node in graph if isinstance(node.op, kind))
    return graph.change(lambda node: None if isinstance(node.op, kind) else node), notes


def fold_batch_norm(graph: Graph) -> tuple[Graph, tuple[Note, ...]]:
    """Multiplies batch norms into the weights and biases before them.

    ``W' = W scale, b' = b scale + shift`` with the scale and shift of the running statistics,
    computed in float64 and rounded once. A batch norm stays where what it normalises is no linear
    layer or convolution, or is used elsewhere as well; a note says so.
    """
    notes: list[Note] = []
    folded: dict[str, Node] = {}
    for node in graph:
        if not isinstance(node.op, BatchNorm):
            continue
        source = graph[node.inputs[0]]
        name = "fold_batch_norm"
        if not isinstance(source.op, (Linear, Conv)):
            text = f"it stays: {source.name} ({source.op.kind}) has no weights to fold it into"
        elif len(graph.users[source.name]) > 1:
            text = f"it stays: {source.name} is used elsewhere as well"
        else:
            folded[source.name] = replace(source, op=_scaled(source.op, *node.op.affine()))
            folded[node.name] = node
            text = f"folded into {source.path or source.name}"
        notes.append(Note(name, node.path, text))

    def change(node: Node) -> Node | None:
        if node.name not in folded:
            return node
        return None if isinstance(node.op, BatchNorm) else folded[node.name]

    return graph.change(change), tuple(notes)


def _scaled(op: Linear | Conv, scale: Tensor, shift: Tensor) -> Linear | Conv:
    weight = op.weight.detach().double()
    if isinstance(op, Conv) and op.transposed:
        # [in, out / groups, *kernel]: the block of inputs says which group an output belongs to.
        blocks = weight.unflatten(0, (op.groups, -1))
        per = scale.view(op.groups, 1, -1, *[1] * (weight.dim() - 2))
        weight = (blocks * per).flatten(0, 1)
    else:
        weight = weight * scale.view(-1, *[1] * (weight.dim() - 1))
    bias = shift if op.bias is None else op.bias.detach().double() * scale + shift
    dtype = op.weight.dtype
    return replace(
        op,
        weight=torch.nn.Parameter(weight.to(dtype), op.weight.requires_grad),
        bias=torch.nn.Parameter(bias.to(dtype), op.weight.requires_grad),
    )


def rewrite(
    graph: Graph,
    name: str,
    rule: Callable[[Graph, Node], tuple[Node | Sequence[Node] | None, str] | None],
) -> tuple[Graph, tuple[Note, ...]]:
    """A pass made of a rule for single nodes.

    Args:
        graph: what to change.
        name: of the pass, for its notes.
        rule: given the graph and a node, what stands in its place (as :meth:`Graph.change`) with a
            sentence for the note, or None to leave it.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from snncore.graph import ops, trace
        >>> graph = trace(nn.Sequential(nn.ReLU(), nn.Tanh()), torch.zeros(1, 3))
        >>> def rule(graph, node):
        ...     if node.op != ops.Activation("tanh"):
        ...         return None
        ...     return replace(node, op=ops.Activation("sigmoid")), "sigmoid for tanh"
        >>> graph, notes = rewrite(graph, "smooth", rule)
        >>> print(graph["1"].op.name, notes[0])
        sigmoid smooth: 1: sigmoid for tanh
    """
    found = {node.name: made for node in graph if (made := rule(graph, node)) is not None}
    notes = tuple(Note(name, graph[key].path, text) for key, (_, text) in found.items())
    return graph.change(lambda node: found[node.name][0] if node.name in found else node), notes
