"""The graph of a network in discrete time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from snncore.errors import GraphError
from snncore.graph.ops import Input, Op, Output, Previous


@dataclass(frozen=True)
class Node:
    """One operation, and where it comes from.

    Args:
        name: unique in the graph; its module path where it is the module's only call.
        op: what it does.
        inputs: names of the nodes whose outputs it takes.
        shape: of its output, for one sample and one time step.
        dtype: of its output.
        path: the module of the user's network that it is, or that holds the expression; empty for
            the network itself.
        quantisation: what a later pass says of the grid of its numbers, by name.
    """

    name: str
    op: Op
    inputs: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: torch.dtype = torch.float32
    path: str = ""
    quantisation: Mapping[str, object] | None = None

    def __str__(self) -> str:
        shape = "x".join(map(str, self.shape)) or "1"
        return f"{self.name}: {self.op.kind}({', '.join(self.inputs)}) -> {shape}"


class Graph:
    """Nodes in the order in which a time step computes them. Nothing in it is ever changed.

    The input of a :class:`~snncore.graph.ops.Previous` may come later in the order: it is the value
    of the step before. All other inputs come earlier.

    Args:
        nodes: in any order in which each comes after its inputs.

    Raises: GraphError for names given twice, unknown inputs, wrong numbers of inputs, loops
        without a ``Previous``, and graphs without input or output.

    Example:
        >>> from snncore.graph import Node, ops
        >>> graph = Graph([
        ...     Node("x", ops.Input(), (), (3,)),
        ...     Node("twice", ops.Scale(2.0), ("x",), (3,)),
        ...     Node("y", ops.Output(), ("twice",), (3,)),
        ... ])
        >>> print(graph)
        x: Input() -> 3
        twice: Scale(x) -> 3
        y: Output(twice) -> 3
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes: tuple[Node, ...] = tuple(nodes)
        self._by_name = {node.name: node for node in self.nodes}
        self._check()

    def _check(self) -> None:
        names = [node.name for node in self.nodes]
        for name in self._by_name:
            if names.count(name) > 1:
                raise GraphError(f"the graph has {names.count(name)} nodes named {name!r}")
        seen: set[str] = set()
        for node in self.nodes:
            wanted = node.op.arity
            if len(node.inputs) != wanted if wanted is not None else not node.inputs:
                raise GraphError(
                    f"node {node.name!r} ({node.op.kind}) takes "
                    f"{'one or more' if wanted is None else wanted} inputs, got "
                    f"{len(node.inputs)}"
                )
            for name in node.inputs:
                if name not in self._by_name:
                    raise GraphError(f"node {node.name!r} takes {name!r}, which is no node")
                if name not in seen and not isinstance(node.op, Previous):
                    raise GraphError(
                        f"node {node.name!r} takes {name!r}, which comes after it; only a Previous "
                        "may close a loop"
                    )
            seen.add(node.name)
        for role, found in (("input", self.inputs), ("output", self.outputs)):
            if not found:
                raise GraphError(f"the graph has no {role} node")

    def __getitem__(self, name: str) -> Node:
        try:
            return self._by_name[name]
        except KeyError:
            raise KeyError(f"the graph has no node {name!r}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __str__(self) -> str:
        return "\n".join(map(str, self.nodes))

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        """Where tensors enter, in the order of the network's arguments."""
        return tuple(node for node in self.nodes if isinstance(node.op, Input))

    @cached_property
    def outputs(self) -> tuple[Node, ...]:
        """Where tensors leave, in the order in which the network returns them."""
        return tuple(node for node in self.nodes if isinstance(node.op, Output))

    @cached_property
    def users(self) -> Mapping[str, tuple[Node, ...]]:
        """The nodes that take each node's output."""
        found: dict[str, list[Node]] = {name: [] for name in self._by_name}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found[name].append(node)
        return {name: tuple(users) for name, users in found.items()}

    @property
    def is_recurrent(self) -> bool:
        """Whether a step needs values of the step before, beside the states of neurons."""
        return any(isinstance(node.op, Previous) for node in self.nodes)

    @property
    def is_sequential(self) -> bool:
        """Whether each node takes the one before it, from one input to one output."""
        return all(
            node.inputs == (() if before is None else (before.name,))
            for before, node in zip((None, *self.nodes), self.nodes, strict=False)
        )

    def sources(self, name: str) -> tuple[Node, ...]:
        """The nodes whose outputs a node takes."""
        return tuple(self[source] for source in self[name].inputs)

    def change(self, changed: Callable[[Node], Node | Sequence[Node] | None]) -> Graph:
        """Another graph with each node replaced.

        Args:
            changed: given a node, what stands in its place: a node, several in order (the last
                one's output counts), or None for nothing, whose users then take its first input.

        Raises: GraphError if the result is no graph.
        """
        becomes: dict[str, str] = {}
        made: list[tuple[Node, frozenset[str]]] = []
        for node in self.nodes:
            result = changed(node)
            if result is None:
                if not node.inputs:
                    raise GraphError(
                        f"node {node.name!r} ({node.op.kind}) has no input that could stand for it"
                    )
                becomes[node.name] = node.inputs[0]
                continue
            new = [result] if isinstance(result, Node) else list(result)
            if new[-1].name != node.name:
                becomes[node.name] = new[-1].name
            # Within what stands for a node, names mean the new nodes.
            made += [(n, frozenset(m.name for m in new[:i])) for i, n in enumerate(new)]

        def final(name: str) -> str:
            while name in becomes:
                name = becomes[name]
            return name

        return Graph(
            replace(n, inputs=tuple(x if x in siblings else final(x) for x in n.inputs))
            for n, siblings in made
        )
