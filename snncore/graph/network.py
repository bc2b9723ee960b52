"""From a graph back to a network that runs and learns."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from snncore.graph.nodes import Graph
from snncore.graph.ops import Input, Layer, Op, Output, Previous
from snncore.state.memory import MemoryModule
from snncore.state.unroll import Given, Tensors
from snncore.step import StepMode, merge_time


def to_module(graph: Graph, step_mode: StepMode = "s") -> GraphNetwork:
    """A network that computes what a graph says.

    Args:
        graph: any graph.
        step_mode: ``"s"`` or ``"m"``.

    Returns: a network with parameters, buffers and neurons of its own, under the names of the
        graph's nodes.

    Example:
        >>> import torch
        >>> from snncore.graph import trace
        >>> net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
        >>> twin = to_module(trace(net, torch.zeros(1, 3)))
        >>> x = torch.rand(5, 3)
        >>> torch.equal(twin(x), net(x)), list(twin.state_dict())
        (True, ['0.weight', '0.bias'])
    """
    return GraphNetwork(graph, step_mode)


class GraphNetwork(MemoryModule):
    """Runs a graph.

    In mode ``"m"`` each node runs once over the whole sequence, unless the graph is recurrent: then
    all of it runs step by step. What the nodes :class:`~snncore.graph.ops.Previous` give is state
    of this module.

    Args:
        graph: what to run.
        step_mode: ``"s"`` or ``"m"``.

    Shape: ``[N, *]`` or ``[T, N, *]``, in and out, as the graph's nodes say.
    Raises: StateError as :class:`snncore.MemoryModule`.
    """

    def __init__(self, graph: Graph, step_mode: StepMode = "s") -> None:
        super().__init__()
        self.graph = graph
        self._previous = tuple(node for node in graph if isinstance(node.op, Previous))
        # Of this graph, not of the class.
        self.states: Mapping[str, float] = {  # type: ignore[misc]
            node.name: cast("Previous", node.op).initial for node in self._previous
        }
        self.inputs = len(graph.inputs)  # type: ignore[misc]
        self.outputs = len(graph.outputs)  # type: ignore[misc]
        if self._previous:
            self.inner_step_mode = "s"  # type: ignore[misc]
        self.paths = self._plant()
        self.step_mode = step_mode
        for path in self.paths.values():
            module = self.get_submodule(path)
            if isinstance(module, MemoryModule):
                module.step_mode = "s" if self._previous else step_mode

    def _plant(self) -> dict[str, str]:
        """Puts modules where the nodes' names say; the paths by node."""
        planted: dict[str, str] = {}
        # Parents come before what lies inside them.
        for node in sorted(self.graph, key=lambda node: node.name.count(".")):
            module = _module(node.op)
            if module is None:
                continue
            place, path = cast("nn.Module", self), list[str]()
            *parents, last = node.name.split(".")
            for name in parents:
                path.append(_free(place, name))
                if path[-1] not in dict(place.named_children()):
                    place.add_module(path[-1], nn.Module())
                place = cast("nn.Module", getattr(place, path[-1]))
            path.append(_free(place, last))
            place.add_module(path[-1], module)
            planted[node.name] = ".".join(path)
        return planted

    def step(self, *args: Tensor) -> Tensors:
        """``(*inputs, *previous) -> (*outputs, *previous)``."""
        return self._run(args, _once)

    def sequence(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """All steps: node by node, or step by step where the graph is recurrent."""
        if self._previous:
            return super().sequence(inputs, states)
        return self._run(inputs, merge_time), ()

    def state_like(self, name: str, *inputs: Given) -> tuple[torch.Size, torch.dtype]:
        """``[N, *]`` as the node has it."""
        node = self.graph[name]
        return torch.Size((inputs[0].shape[0], *node.shape)), node.dtype

    def _run(self, args: Tensors, stateless: Callable[..., Any]) -> Tensors:
        names = [node.name for node in (*self.graph.inputs, *self._previous)]
        values: dict[str, Any] = dict(zip(names, args, strict=True))
        for node in self.graph:
            if isinstance(node.op, (Input, Previous)):
                continue
            given = [values[name] for name in node.inputs]
            path = self.paths.get(node.name)
            module: Callable[..., Any] = node.op.run if path is None else self.get_submodule(path)
            whole = isinstance(module, MemoryModule) or isinstance(node.op, Output)
            values[node.name] = module(*given) if whole else stateless(module, *given)
        ends = [node.name for node in self.graph.outputs]
        return tuple(values[name] for name in (*ends, *(n.inputs[0] for n in self._previous)))


def _once(module: Callable[..., Any], *inputs: Any) -> Any:
    return module(*inputs)


class _Tensors(nn.Module):
    """An operation with tensors, which are parameters where they were parameters."""

    def __init__(self, op: Op) -> None:
        super().__init__()
        self.op = op
        for name, value in op.tensors.items():
            own = value.detach().clone()
            if isinstance(value, nn.Parameter):
                self.register_parameter(name, nn.Parameter(own, value.requires_grad))
            else:
                self.register_buffer(name, own)

    def forward(self, *inputs: Tensor) -> Tensor:
        own = {name: getattr(self, name) for name in self.op.tensors}
        return replace(cast("Any", self.op), **own).run(*inputs)

    def extra_repr(self) -> str:
        return self.op.kind


def _free(place: nn.Module, name: str) -> str:
    """The name, or one like it where a module has an attribute of that name."""
    while hasattr(place, name) and name not in dict(place.named_children()):
        name += "_"
    return name


def _module(op: Op) -> nn.Module | None:
    if isinstance(op, Layer):
        return copy.deepcopy(op.module)
    return _Tensors(op) if op.tensors else None
