"""Steps written by hand as captured steps, so that all that runs those runs them as well."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import fx

from snncore.errors import BackendError, ConfigError
from snncore.kernels import ops
from snncore.kernels.capture import Captured
from snncore.kernels.dialect import Text, check_name
from snncore.kernels.emit.slots import Format, Source
from snncore.kernels.ir import Node
from snncore.kernels.ir import Program as Graph
from snncore.kernels.program import Launch, Program, Target


@dataclass(frozen=True)
class Definition:
    """What is written by hand.

    Args:
        name: for error texts.
        inputs, outputs, params: names.
        states: names and initial values.
        step, backward: the texts.
    Raises: ConfigError when these cannot make a kernel.
    """

    name: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    params: Sequence[str]
    states: Mapping[str, float]
    step: Text
    backward: Text | None

    def __post_init__(self) -> None:
        check_name(self.name, "kernel")
        for what in ("inputs", "outputs", "params", "states"):
            names = getattr(self, what)
            if isinstance(names, str):
                raise ConfigError(
                    f"kernel {self.name!r}: {what}={names!r} is one text; write {what}=({names!r},)"
                )
            if not names and what in ("inputs", "outputs"):
                raise ConfigError(f"kernel {self.name!r} has no {what}; name one at least")
            for one in names:
                check_name(one, f"kernel {self.name!r}, {what}:")
        every = (*self.inputs, *self.outputs, *self.params, *self.states)
        twice = next((one for one in every if every.count(one) > 1), None)
        if twice:
            raise ConfigError(f"kernel {self.name!r} uses the name {twice!r} twice")
        for one in (*self.outputs, *self.states):
            if not self.step.assigns(one):
                raise ConfigError(f"{self.step.label} never assigns {one}; write {one} = ...;")

    def __str__(self) -> str:
        options = (*self.params, *(f"{one}={start:g}" for one, start in self.states.items()))
        return f"{self.name}({', '.join((*self.inputs, *'*' * bool(options), *options))})"

    @property
    def differentiable(self) -> tuple[str, ...]:
        """Inputs, parameters and states of which the backward gives a gradient."""
        text = self.backward
        if text is None:
            return ()
        names = (*self.inputs, *self.params)
        return (*(one for one in names if text.assigns(f"grad_{one}")), *self.states)

    def captured(self, learned: tuple[int, ...] = ()) -> Captured:
        """What printers take.

        Args:
            learned: positions of the parameters whose gradient is wanted.
        """
        graph = Graph()
        given = {one: graph.input("x", i) for i, one in enumerate(self.inputs)}
        given |= {one: graph.input("param", i) for i, one in enumerate(self.params)}
        given |= {one: graph.input("state", i) for i, one in enumerate(self.states)}
        results = dict.fromkeys(self.outputs, "(S)0") | {one: f"snn_{one}" for one in self.states}
        values = _call(graph, "snn_step", self.step, given, results)
        grads: dict[str, Node] = {}
        if self.backward is not None:
            after = [*self.outputs, *(f"next_{one}" for one in self.states)]
            given |= dict(zip(after, values, strict=True))
            given |= {f"grad_{one}": graph.input("gout", i) for i, one in enumerate(self.outputs)}
            given |= {f"grad_{one}": graph.input("gstate", i) for i, one in enumerate(self.states)}
            results = {
                f"grad_{one}": f"snn_grad_{one}" if one in self.states else "(S)0"
                for one in self.differentiable
            }
            found = _call(graph, "snn_backward", self.backward, given, results)
            grads = dict(zip(self.differentiable, found, strict=True))
        return Captured(
            graph,
            values,
            tuple(grads.get(one) for one in (*self.inputs, *self.states)),
            tuple(grads[self.params[place]] for place in learned),
            _prologue(len(self.params)),
            _epilogue(len(self.params), learned) if learned else None,
            learned,
            len(self.states),
        )

    def explained(self, words: str, target: str) -> str | None:
        """What a compiler said in terms of the texts; None if it is not about them."""
        texts = [self.step] if self.backward is None else [self.step, self.backward]
        found = [one for text in texts for one in text.explained(words)]
        if not found:
            return None
        shown = "\n".join(found[:3])
        return f"kernel {self.name!r} does not compile on {target!r}:\n{shown}"


class Bound:
    """A definition on one target, as the operations of torch find it behind a handle.

    Args:
        learned: positions of the parameters whose gradient is wanted.
    """

    def __init__(self, definition: Definition, target: Target, learned: tuple[int, ...]) -> None:
        self.definition, self.target = definition, target
        self.outputs = len(definition.outputs)
        self.captured = definition.captured(learned)
        self.handle = ops.register(self)
        self._explained = cast("Target", _Explained(target, definition))
        self._programs: dict[Any, Program] = {}

    def program(self, shape: torch.Size, dtype: torch.dtype) -> Program:
        """The kernels for one shape of a step and one dtype of the arithmetic."""
        key = (shape, dtype)
        if key not in self._programs:
            self._programs[key] = Program(self.captured, shape, dtype, self._explained)
        return self._programs[key]

    def left(self, way: str, steps: Any, dtype: torch.dtype) -> list[tuple[Any, Format]]:
        """As :meth:`Program.left`, for steps of any shape."""
        return self.program(torch.Size(()), dtype).left(way, steps)


class _Explained:
    """A target that shows the user's own line when a compiler complains."""

    def __init__(self, target: Target, definition: Definition) -> None:
        self._target, self._definition = target, definition

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def load(self, source: Source, *, double: bool) -> Callable[[Launch], None]:
        """See :class:`snncore.kernels.program.Target`; some compile at the first run."""
        with self._explaining():
            run = self._target.load(source, double=double)

        def explained(launch: Launch) -> None:
            with self._explaining():
                run(launch)

        return explained

    @contextmanager
    def _explaining(self) -> Generator[None]:
        try:
            yield
        except BackendError as error:
            told = self._definition.explained(str(error), self._target.name)
            if told is None:
                raise
            raise BackendError(told) from error


def _call(
    graph: Graph, name: str, text: Text, given: Mapping[str, Node], results: Mapping[str, str]
) -> tuple[Node, ...]:
    """The values of a text; it takes what it names, and what its results begin with."""
    begins = {one for one, start in results.items() if start == f"snn_{one}"}
    taken = [one for one in given if one in text.names or one in begins]
    arguments = [f"snn_{one}" if one in results else one for one in taken]
    return graph.call(text.function(name, arguments, results), *(given[one] for one in taken))


def _prologue(count: int) -> fx.GraphModule:
    """The parameters themselves."""
    graph = fx.Graph()
    graph.output(tuple(graph.placeholder(f"p{i}") for i in range(count)))
    return fx.GraphModule({}, graph)


def _epilogue(count: int, learned: Sequence[int]) -> fx.GraphModule:
    """Sums per neuron, added up to the parameters' own shapes."""
    graph = fx.Graph()
    params = [graph.placeholder(f"p{i}") for i in range(count)]
    sums = [graph.placeholder(f"s{i}") for i in range(len(learned))]
    shapes = [graph.call_method("size", (params[place],)) for place in learned]
    pairs = zip(sums, shapes, strict=True)
    graph.output(tuple(graph.call_method("sum_to_size", pair) for pair in pairs))
    return fx.GraphModule({}, graph)
