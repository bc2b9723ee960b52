"""A network's graph as Loihi sees it: neurons, each layer with the synapses before it."""

from __future__ import annotations

from dataclasses import dataclass

from snncore.graph import Graph, Node
from snncore.graph.ops import Add, Conv, Linear, Neuron, Previous, Reshape

DELAYS = ("snn-neurons/delay", "snn-neurons/learnable_delay")


@dataclass(frozen=True)
class Stage:
    """A layer of neurons and what feeds it.

    Args:
        neuron: its node.
        synapse: the linear layer or convolution before it; None where something else is.
        feedback: the linear layer from its own last output; None without.
        delays: delay lines between synapse and neuron, or right behind the neuron.
        path: where its spikes are seen in the user's network, behind all delays.
    """

    neuron: Node
    synapse: Node | None
    feedback: Node | None
    delays: tuple[Node, ...]
    path: str


def is_delay(node: Node) -> bool:
    """Whether a node gives its input some steps later."""
    return isinstance(node.op, Neuron) and node.op.name in DELAYS


def is_flatten(graph: Graph, node: Node) -> bool:
    """Whether a node makes one axis of all."""
    return isinstance(node.op, Reshape) and len(node.shape) == 1


def stages(graph: Graph) -> tuple[Stage, ...]:
    """All layers of neurons, in the order of the graph."""
    return tuple(
        _stage(graph, node) for node in graph if isinstance(node.op, Neuron) and not is_delay(node)
    )


def _stage(graph: Graph, neuron: Node) -> Stage:
    delays: list[Node] = []
    source = _past_delays(graph, graph.sources(neuron.name)[0], delays)
    feedback = None
    if isinstance(source.op, Add):
        feedback = _feedback(graph, source, neuron)
        if feedback is not None:
            (other,) = (n for n in graph.sources(source.name) if n is not feedback)
            source = _past_delays(graph, other, delays)
    synapse = source if isinstance(source.op, (Linear, Conv)) else None
    last = neuron
    after = forward_users(graph, neuron)
    while len(after) == 1 and is_delay(after[0]):
        last = after[0]
        delays.append(last)
        after = forward_users(graph, last)
    return Stage(neuron, synapse, feedback, tuple(delays), last.path or last.name)


def forward_users(graph: Graph, node: Node) -> tuple[Node, ...]:
    """What takes a node's output in the same step."""
    return tuple(user for user in graph.users[node.name] if not isinstance(user.op, Previous))


def _past_delays(graph: Graph, node: Node, found: list[Node]) -> Node:
    while is_delay(node):
        found.append(node)
        node = graph.sources(node.name)[0]
    return node


def _feedback(graph: Graph, add: Node, neuron: Node) -> Node | None:
    """The linear layer, of two that an addition takes, that takes the neuron's last output."""
    parts = graph.sources(add.name)
    if len(parts) != 2 or len(graph.users[add.name]) != 1:
        return None
    for part in parts:
        if isinstance(part.op, Linear) and len(graph.users[part.name]) == 1:
            (source,) = graph.sources(part.name)
            if isinstance(source.op, Previous) and source.inputs == (neuron.name,):
                return part
    return None
