"""From a network to its graph: one time step is run, and what it computes is written down."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from snncore.errors import GraphError, SnnError
from snncore.graph import ops
from snncore.graph.functions import op_of_call
from snncore.graph.modules import is_leaf, op_of_module
from snncore.graph.nodes import Graph, Node
from snncore.layers.containers import MultiStepContainer, RecurrentContainer, SeqToANNContainer
from snncore.registry import label
from snncore.state.memory import MemoryModule
from snncore.state.walks import reset
from snncore.step import StepModule

_READS_VALUES = {"__bool__", "__int__", "__float__", "__index__", "item", "tolist", "nonzero"}
_WRITES = {"__setitem__", "copy_", "index_put_", "masked_fill_", "scatter_"}


def trace(net: nn.Module, x: Tensor | tuple[Tensor, ...]) -> Graph:
    """The graph of one time step of a network, as it is used after training.

    A copy of the network runs once, in evaluation and single-step mode, on the example. Expressions
    in ``forward`` are followed through torch's functions and methods, so that ``F.conv2d`` with a
    parameter is a convolution like ``nn.Conv2d``. Sizes are those of the example.

    Args:
        net: a network whose ``forward`` takes and gives tensors ``[N, *]`` in single-step mode;
            what it makes of its time axis lies in containers of :mod:`snncore.layers`.
        x: one time step of its input, ``[N, *]`` with N >= 1, or a tuple of several.

    Returns: a graph whose nodes carry shapes, dtypes and the paths of the user's modules. Its
        parameters are those of ``net``, which is left as it was.

    Raises: GraphError for control flow that depends on values, writes into parts of a tensor, a
        module with memory that runs twice in a step, and outputs that the inputs do not determine.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> print(trace(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.zeros(1, 2, 2)))
        x: Input() -> 2x2
        0: Reshape(x) -> 4
        1: Linear(0) -> 2
        output: Output(1) -> 2
    """
    examples = (x,) if isinstance(x, Tensor) else tuple(x)
    for example in examples:
        if example.dim() < 1 or not len(example):
            raise GraphError(
                "trace needs one time step [N, *] of each input, N at least 1, got shape "
                f"{list(example.shape)}"
            )
    twin = copy.deepcopy(net, {id(p): p for p in net.parameters()})
    reset(twin)
    twin.eval()
    for module in twin.modules():
        if isinstance(module, StepModule) and "s" in module.step_modes:
            module.step_mode = "s"
    recorder = _Recorder(twin)
    # Copies, as the network may write into what it is given; at least two items, so that the batch
    # is not taken for an axis of size 1.
    graph = recorder.run(
        [e.detach().repeat(1 + (len(e) == 1), *[1] * (e.dim() - 1)) for e in examples]
    )
    reset(twin)
    return graph


@dataclass
class _Made:
    """A tensor of the run, kept alive so that no other gets its identity, and what made it."""

    value: Tensor
    node: str


class _Recorder(TorchFunctionMode):
    """Writes down what is computed from the inputs; all else is constant."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.nodes: list[Node] = []
        self.names: set[str] = set()
        self.made: dict[int, _Made] = {}
        self.paths: list[str] = [""]
        self.called: set[str] = set()
        self.silent = 0

    def run(self, examples: list[Tensor]) -> Graph:
        """The graph of a call."""
        names = ["x"] if len(examples) == 1 else [f"x{i}" for i in range(len(examples))]
        for name, example in zip(names, examples, strict=True):
            self.add(name, ops.Input(), (), example)
        wrapped = list(self._wrap())
        try:
            with torch.no_grad(), torch.random.fork_rng(), self:
                result = self.net(*examples)
        except SnnError:
            raise
        except Exception as error:
            raise GraphError(
                f"{label(self.net)} fails on the example in single-step mode "
                f"({type(error).__name__}: {error}); trace takes one time step, [N, *]"
            ) from error
        finally:
            for module in wrapped:
                del module.__dict__["forward"]
        outputs = (result,) if isinstance(result, Tensor) else tuple(tree_leaves(result))
        ends = ["output"] if len(outputs) == 1 else [f"output{i}" for i in range(len(outputs))]
        for name, value in zip(ends, outputs, strict=True):
            source = self.made.get(id(value)) if isinstance(value, Tensor) else None
            if source is None:
                raise GraphError(
                    f"{label(self.net)} returns a {type(value).__name__} that does not depend on "
                    "its input; a graph's outputs are tensors computed from its inputs"
                )
            self.add(name, ops.Output(), (source.node,), cast("Tensor", value))
        return Graph(self._needed())

    def add(self, wanted: str, op: ops.Op, inputs: Iterable[str], value: Tensor) -> str:
        """Writes a node down, under ``wanted`` or the next free name."""
        name, count = wanted, 1
        while name in self.names:
            name, count = f"{wanted}_{count}", count + 1
        self.names.add(name)
        shape = tuple(value.shape[1:])
        self.nodes.append(Node(name, op, tuple(inputs), shape, value.dtype, self.paths[-1]))
        self.made[id(value)] = _Made(value, name)
        return name

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        known = [
            leaf
            for leaf in tree_leaves((args, kwargs))
            if isinstance(leaf, Tensor) and id(leaf) in self.made
        ]
        name = getattr(func, "__name__", str(func))
        if self.silent or not known:
            return func(*args, **kwargs)
        if name in _READS_VALUES:
            raise GraphError(
                f"{self._where()} reads values of a tensor ({name.strip('_')}); a graph has one "
                "course for all inputs: use torch.where, or take the decision out of forward"
            )
        if name in _WRITES:
            raise GraphError(
                f"{self._where()} writes into a part of a tensor ({name.strip('_')}); make a new "
                "one, for example with torch.where or torch.cat"
            )
        result = func(*args, **kwargs)
        if isinstance(result, Tensor):
            self._record(func, name, args, kwargs, result)
        elif isinstance(result, (tuple, list)):
            for i, part in enumerate(cast("Any", result)):
                if isinstance(part, Tensor):
                    self._record(_Part(func, i), name, args, kwargs, part)
        return result

    def _record(
        self, func: Callable[..., Any], name: str, args: Any, kwargs: Any, result: Tensor
    ) -> None:
        known = self.made
        op, taken = op_of_call(func, name, args, kwargs, result, lambda t: id(t) in known)
        sources = [known[id(t)].node for t in taken]
        if op is None:
            # The same values in the same shape: `to` its own dtype, `contiguous`, `detach` ...
            self.made[id(result)] = _Made(result, sources[0])
            return
        path = self.paths[-1]
        plain = op.kind.lower()
        self.add(f"{path}.{plain}" if path else plain, op, sources, result)

    def _wrap(self) -> Iterable[nn.Module]:
        """Lets each module say when it runs; yields those that were changed."""
        inside: set[nn.Module] = set()
        for path, module in self.net.named_modules():
            if module in inside:
                continue
            run = module.forward
            if isinstance(module, (SeqToANNContainer, MultiStepContainer)):
                run = _in_order(module)
            if isinstance(module, RecurrentContainer):
                forward = self._loop(path, module)
            elif is_leaf(module):
                forward = self._leaf(path, module, run)
                inside.update(module.modules())
            else:
                forward = self._inner(path, run)
            # On the object itself: the copy is ours alone.
            module.__dict__["forward"] = forward
            yield module

    def _inner(self, path: str, run: Callable[..., Any]) -> Callable[..., Any]:
        def forward(*args: Any, **kwargs: Any) -> Any:
            self.paths.append(path)
            try:
                return run(*args, **kwargs)
            finally:
                self.paths.pop()

        return forward

    def _leaf(self, path: str, module: nn.Module, run: Callable[..., Any]) -> Callable[..., Any]:
        def forward(*args: Any, **kwargs: Any) -> Any:
            known = [a for a in args if isinstance(a, Tensor) and id(a) in self.made]
            if self.silent or not known:
                return run(*args, **kwargs)
            name = path or type(module).__name__.lower()
            self._once(name, module)
            sources = [self.made[id(a)].node for a in known]
            self.silent += 1
            try:
                result = run(*args, **kwargs)
            finally:
                self.silent -= 1
            self.paths.append(path)
            try:
                self._leave(name, module, args, kwargs, sources, result)
            finally:
                self.paths.pop()
            return result

        return forward

    def _leave(
        self,
        path: str,
        module: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        sources: list[str],
        result: Any,
    ) -> None:
        if kwargs or len(sources) != len(args):
            raise GraphError(
                f"{path} ({label(module)}) is given more than tensors that depend on the input; "
                "give such settings to its constructor"
            )
        if isinstance(result, Tensor):
            op = op_of_module(module, args[0], result)
            self.add(path, op, sources, result)
            return
        parts = [part for part in tree_leaves(result) if isinstance(part, Tensor)]
        whole = self.add(path, op_of_module(module, args[0], parts[0]), sources, parts[0])
        for i, part in enumerate(parts):
            self.add(f"{path}.{i}", ops.Select(i), (whole,), part)

    def _loop(self, path: str, module: RecurrentContainer) -> Callable[..., Any]:
        def forward(x: Tensor) -> Tensor:
            self._once(path, module)
            shape, dtype = module.state_like("y", x)
            last = torch.zeros(shape, dtype=dtype, device=x.device)
            self.paths.append(path)
            try:
                name = self.add(f"{path}.previous".lstrip("."), ops.Previous(), (), last)
                y, _ = module.step(x, last)
            finally:
                self.paths.pop()
            place = next(i for i, node in enumerate(self.nodes) if node.name == name)
            self.nodes[place] = replace(self.nodes[place], inputs=(self.made[id(y)].node,))
            return y

        return forward

    def _once(self, path: str, module: nn.Module) -> None:
        if isinstance(module, MemoryModule):
            if path in self.called:
                raise GraphError(
                    f"{path} ({label(module)}) runs twice in one time step, so its memory mixes "
                    "two signals; give each place a module of its own"
                )
            self.called.add(path)

    def _where(self) -> str:
        path = self.paths[-1]
        return f"forward of {path}" if path else f"forward of {label(self.net)}"

    def _needed(self) -> list[Node]:
        """The nodes that outputs depend on, and all inputs."""
        by_name = {node.name: node for node in self.nodes}
        wanted = [node.name for node in self.nodes if isinstance(node.op, ops.Output)]
        seen: set[str] = set()
        while wanted:
            name = wanted.pop()
            if name not in seen:
                seen.add(name)
                wanted += by_name[name].inputs
        return [n for n in self.nodes if n.name in seen or isinstance(n.op, ops.Input)]


@dataclass(frozen=True)
class _Part:
    """One of the tensors that a function gives."""

    function: Callable[..., Any]
    index: int

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        return self.function(*args, **kwargs)[self.index]


def _in_order(modules: nn.Sequential) -> Callable[..., Any]:
    def forward(x: Any) -> Any:
        for module in modules:
            x = module(x)
        return x

    return forward
