"""Which values of a step the forward keeps for the backward: a minimum cut.

Every value that does not depend on incoming gradients can be kept or computed again. Keeping a
float costs a write and a read; an input is in memory anyway and costs a read; a flag is a byte.
What depends on parameters only is free. The cheapest set from which the backward can compute
all it needs is a minimum cut of the step's graph.
"""

from __future__ import annotations

from snncore.kernels.capture import Captured
from snncore.kernels.ir import Node, needed

# Without a cost, and so never kept: integers, which come from floats as easily as they are read.
_COST = {"x": 1.0, "f": 2.0, "b": 0.5}


def saved_values(captured: Captured) -> tuple[Node, ...]:
    """The nodes to keep, cheapest set first found; inputs among them are read again."""
    import networkx as nx

    roots = [grad for grad in captured.grads if grad is not None] + list(captured.sums)
    backward = needed(roots)
    late = _dependents(backward, ("gout", "gstate"))
    moving = _dependents(backward, ("x", "state"))
    graph = nx.DiGraph()
    graph.add_nodes_from(("source", "sink"))
    wanted = {arg.index for node in backward if node.index in late for arg in node.args}
    wanted |= {root.index for root in roots}
    for node in backward:
        if node.index in late or node.index not in moving:
            continue
        cost = _COST.get("x" if node.role == "x" else node.kind)
        limit = {} if cost is None else {"capacity": cost}
        graph.add_edge((node.index, "in"), (node.index, "out"), **limit)
        if node.op == "in":
            graph.add_edge("source", (node.index, "in"))
        for arg in node.args:
            if arg.index in moving:
                graph.add_edge((arg.index, "out"), (node.index, "in"))
        if node.index in wanted:
            graph.add_edge((node.index, "out"), "sink")
    _, (reached, _) = nx.minimum_cut(graph, "source", "sink")
    return tuple(
        node
        for node in backward
        if (node.index, "in") in reached
        and (node.index, "out") in graph
        and (node.index, "out") not in reached
    )


def _dependents(nodes: list[Node], roles: tuple[str, ...]) -> set[int]:
    found: set[int] = set()
    for node in nodes:
        if node.role in roles or any(arg.index in found for arg in node.args):
            found.add(node.index)
    return found
