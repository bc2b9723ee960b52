"""What a network did, step by step: outputs, and what was recorded inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from snncore.graph.network import to_module
from snncore.graph.nodes import Graph
from snncore.graph.ops import Neuron
from snncore.state.memory import MemoryModule


@dataclass(frozen=True)
class Trace:
    """A run over T steps of N samples.

    A chip runs on until the last input has come out, so that it makes T + latency steps: what step
    t of the input does leaves it in step t + latency.

    Args:
        output: ``[T + latency, N, *]``, what leaves the network.
        spikes: output of each recorded layer by the user's module path, ``[T + latency, N, *]``.
        states: of each recorded layer, by name, after each step, ``[T + latency, N, *]``.
        counters: events that a report must not hide (wraps, saturations), summed over the run.
        latency: steps by which the output lags behind a network without delay between layers.
        delays: the same for each recorded layer, from 0 to ``latency``; 0 where it is not named.
    """

    output: Tensor
    spikes: Mapping[str, Tensor] = field(default_factory=dict)
    states: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    latency: int = 0
    delays: Mapping[str, int] = field(default_factory=dict)


def run_source(graph: Graph, x: Tensor, record: Sequence[str] | None = None) -> Trace:
    """Runs a graph as it is, in its own arithmetic.

    Args:
        graph: with one input and one output.
        x: ``[T, N, *]``.
        record: paths of neurons whose spikes and states are kept; all if not given.

    Example:
        >>> from snncore.graph import trace
        >>> from snncore.neuron import Neuron
        >>> class Leaky(Neuron):
        ...     def charge(self, x, v):
        ...         return 0.5 * v + x
        >>> graph = trace(nn.Sequential(Leaky()), torch.zeros(1, 2))
        >>> run = run_source(graph, torch.full((3, 1, 2), 0.75))
        >>> run.output[:, 0, 0].tolist(), run.states["0"]["v"][:, 0, 0].tolist()
        ([0.0, 1.0, 0.0], [0.75, 0.0, 0.75])
    """
    net = to_module(graph)
    layers = {
        node.path or node.name: net.get_submodule(net.paths[node.name])
        for node in graph
        if isinstance(node.op, Neuron)
    }
    watched = {path: module for path, module in layers.items() if record is None or path in record}
    spikes: dict[str, list[Tensor]] = {path: [] for path in watched}
    states: dict[str, dict[str, list[Tensor]]] = {path: {} for path in watched}
    handles = [
        module.register_forward_hook(_keep(spikes[path], states[path]))
        for path, module in watched.items()
    ]
    try:
        with torch.no_grad():
            output = torch.stack([net(step) for step in x])
    finally:
        for handle in handles:
            handle.remove()
    return Trace(
        output,
        {path: torch.stack(rows) for path, rows in spikes.items()},
        {
            path: {name: torch.stack(rows) for name, rows in named.items()}
            for path, named in states.items()
        },
    )


def _keep(spikes: list[Tensor], states: dict[str, list[Tensor]]) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
        spikes.append(output if isinstance(output, Tensor) else output[0])
        if isinstance(module, MemoryModule):
            for name in module.states:
                states.setdefault(name, []).append(getattr(module, name).clone())

    return hook
