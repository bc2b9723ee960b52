"""One run of a step through time: what is read, computed and written, for any printer to spell.

Forward and backward have the same shape. Values are carried from step to step (states forward,
their gradients backward), sequences are read and written at each step, and sums are gathered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from snncore.kernels.capture import Captured
from snncore.kernels.emit.slots import Format, Role, Slot
from snncore.kernels.ir import Function, Node, inputs, needed

Pairs: TypeAlias = tuple[tuple[Slot, Node], ...]

_FED, _GFED = Slot("fed", 0), Slot("gfed", 0)


@dataclass(frozen=True)
class Variant:
    """Which kernel of a step is meant.

    Args:
        saves: values that the forward keeps and the backward reads; empty for inference.
        recompute: the backward runs the forward again, stretch by stretch, instead of reading them.
        marks: the forward keeps the states before every k-th step, from which it is run again.
        traces: indices of the states whose sequence is given out (and whose gradients come in).
        gx: which inputs want a gradient.
        scalars: which parameter values are single numbers.
        double: float64 arithmetic instead of float32.
        io: elements of input and output sequences and their gradients.
        feedback: the last output is fed back into the input through weights.
        fed: the input with what was fed back is kept, since the backward reads it.
    """

    saves: tuple[Node, ...] = ()
    recompute: bool = False
    marks: bool = False
    traces: tuple[int, ...] = ()
    gx: tuple[bool, ...] = ()
    scalars: tuple[bool, ...] = ()
    double: bool = False
    io: Format = "f"
    feedback: bool = False
    fed: bool = False

    @property
    def kept(self) -> tuple[Node, ...]:
        """The saved values that are no inputs of the step, which need memory."""
        return tuple(node for node in self.saves if node.role != "x")


@dataclass(frozen=True)
class Feed:
    """What a pass reads of a sequence to which its own result of the step before is added.

    Args:
        given: the sequence.
        source: what the pass writes, and weights multiply.
        total: the sum.
        kept: whether the sum is wanted as a sequence.
        before: stands for ``source`` before the first step; None for nothing.
        after: takes what the last step feeds back.
    """

    given: Slot
    source: Slot
    total: Slot
    kept: bool = False
    before: Slot | None = None
    after: Slot | None = None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Its arrays."""
        found = (Slot("weight", 0), self.given, self.before, *self.written, self.source)
        return tuple(slot for slot in found if slot)

    @property
    def written(self) -> tuple[Slot, ...]:
        """Those that nothing else writes."""
        return (*[self.total] * self.kept, *filter(None, [self.after]))


@dataclass(frozen=True)
class Pass:
    """A run through time.

    Args:
        nodes: what one step computes, in order, inputs included.
        params: what does not change in time.
        reads: sequences.
        carried: the nodes that stand for the carried values; None where no node reads one.
        begins, ends: where the carried values come from and go to.
        added: sequences that are added to the carried values before each step.
        nexts: what the carried values become; None stands for 0.
        writes: sequences.
        sums: what is added up over time.
        feed: what is fed back.
    """

    nodes: tuple[Node, ...]
    params: Pairs
    reads: Pairs
    carried: tuple[Node | None, ...]
    begins: tuple[Slot, ...]
    ends: tuple[Slot, ...]
    nexts: tuple[Node | None, ...]
    writes: Pairs
    added: tuple[Slot | None, ...] = ()
    sums: Pairs = ()
    feed: Feed | None = None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """All arrays, in the order in which a kernel takes them."""
        found = [slot for pairs in (self.params, self.reads) for slot, _ in pairs]
        if self.feed:
            found = [slot for slot in found if slot != self.feed.total] + [*self.feed.slots]
        found += [*self.begins, *(slot for slot in self.added if slot), *self.ends]
        return (*found, *(slot for pairs in (self.writes, self.sums) for slot, _ in pairs))

    @property
    def functions(self) -> tuple[Function, ...]:
        """The C functions that the step calls."""
        return tuple(dict.fromkeys(node.function for node in self.nodes if node.function))

    @property
    def written(self) -> frozenset[Slot]:
        """The arrays that the kernel writes."""
        pairs = (*self.writes, *self.sums)
        more = self.feed.written if self.feed else ()
        return frozenset((*self.ends, *more, *(slot for slot, _ in pairs)))


def forward(captured: Captured, variant: Variant) -> Pass:
    """All time steps forward."""
    nodes = needed([*captured.values, *variant.kept])
    outputs = len(captured.values) - captured.states
    states = range(captured.states)
    news = captured.values[outputs:]
    return Pass(
        nodes=tuple(nodes),
        params=_params(nodes),
        reads=_inputs(nodes, variant),
        carried=_standing(nodes, "state", captured.states),
        begins=tuple(Slot("start", i) for i in states),
        ends=tuple(Slot("final", i) for i in states),
        nexts=news,
        writes=(
            *((Slot("out", i, variant.io), captured.values[i]) for i in range(outputs)),
            *((Slot("trace", i), news[i]) for i in variant.traces),
            *_kept(variant),
        ),
        feed=Feed(
            given=Slot("x", 0),
            source=Slot("out", 0),
            total=_FED,
            kept=variant.fed,
            before=Slot("last", 0),
        )
        if variant.feedback
        else None,
    )


def again(captured: Captured, variant: Variant) -> Pass:
    """The forward once more from marks, for the values that the backward reads."""
    news = captured.values[len(captured.values) - captured.states :]
    nodes = needed([*news, *variant.kept])
    return Pass(
        nodes=tuple(nodes),
        params=_params(nodes),
        reads=_inputs(nodes, variant),
        carried=_standing(nodes, "state", captured.states),
        begins=tuple(Slot("mark", i) for i in range(captured.states)),
        ends=(),
        nexts=news,
        writes=_kept(variant),
    )


def backward(captured: Captured, variant: Variant) -> Pass:
    """All time steps backward, from saved values."""
    count = len(captured.grads) - captured.states
    wanted = [
        (i, grad)
        for i, grad in enumerate(captured.grads[:count])
        if grad is not None and variant.gx[i]
    ]
    carries = captured.grads[count:]
    roots = [*(grad for _, grad in wanted), *(grad for grad in carries if grad is not None)]
    nodes = needed([*roots, *captured.sums], variant.saves)
    states = range(captured.states)
    feeds = variant.feedback and bool(wanted)
    return Pass(
        nodes=tuple(nodes),
        params=_params(nodes),
        reads=(
            *_inputs(union(nodes, variant.saves), variant),
            *_replaced(_given(nodes, "gout", variant.io), _GFED, feeds),
            *_kept(variant),
        ),
        carried=_standing(nodes, "gstate", captured.states),
        begins=tuple(Slot("gfinal", i) for i in states),
        ends=tuple(Slot("gstart", i) for i in states),
        nexts=carries,
        writes=tuple((Slot("gx", i, variant.io), grad) for i, grad in wanted),
        added=tuple(Slot("gtrace", i) if i in variant.traces else None for i in states),
        sums=tuple((Slot("sum", i), node) for i, node in enumerate(captured.sums)),
        feed=Feed(given=Slot("gout", 0), source=Slot("gx", 0), total=_GFED, after=Slot("glast", 0))
        if feeds
        else None,
    )


def union(one: Iterable[Node], other: Iterable[Node]) -> list[Node]:
    """The nodes of both, in topological order."""
    found = {node.index: node for node in (*one, *other)}
    return [found[index] for index in sorted(found)]


def _params(nodes: Iterable[Node]) -> Pairs:
    return tuple((Slot("param", node.place, node.kind), node) for node in inputs(nodes, "param"))


def _given(nodes: Iterable[Node], role: Role, element: Format) -> Pairs:
    return tuple((Slot(role, node.place, element), node) for node in inputs(nodes, role))


def _inputs(nodes: Iterable[Node], variant: Variant) -> Pairs:
    return _replaced(_given(nodes, "x", variant.io), _FED, variant.feedback)


def _replaced(pairs: Pairs, total: Slot, feeds: bool) -> Pairs:
    """What is fed back enters and leaves a step as its only input and output."""
    return tuple((total, node) for _, node in pairs) if feeds else pairs


def _standing(nodes: Sequence[Node], role: str, count: int) -> tuple[Node | None, ...]:
    found = {node.place: node for node in inputs(nodes, role)}
    return tuple(found.get(i) for i in range(count))


def saved_format(node: Node, *, double: bool) -> Format:
    """What an array holds of a value that is kept for the backward."""
    # Beside doubles, a flag in a byte keeps gcc from vectorising the loop.
    return "f" if double and node.kind == "b" else node.kind


def _kept(variant: Variant) -> Pairs:
    return tuple(
        (Slot("save", i, saved_format(node, double=variant.double)), node)
        for i, node in enumerate(variant.kept)
    )
