"""A captured step made ready for calls of one shape: which kernel variant, with which arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from snncore.kernels.capture import Captured
from snncore.kernels.emit.passes import Variant, saved_format
from snncore.kernels.emit.slots import HALVES, Format, Slot, Source, dtype_of
from snncore.kernels.ir import Node
from snncore.kernels.layout import Laid, Layout
from snncore.kernels.saving import saved_values

KEEP, AGAIN, MARKS = "keep", "again", "marks"
"""What a training forward leaves to the backward: all that it needs; nothing, so that the backward
runs the forward again; or the states before every k-th step, from which it is run again."""


class Feedback(NamedTuple):
    """The only output of a step, fed back into its only input: x[t] + W y[t-1].

    Args:
        weight: W, from the last axis of a step to itself.
        last: y before the first step.
    """

    weight: Tensor
    last: Tensor


class Way(NamedTuple):
    """One of them, and the measured rule that chooses it."""

    name: str
    why: str


@dataclass(frozen=True)
class Launch:
    """One run of a kernel.

    Args:
        steps, count: time steps, and neurons of one step.
        stretch: time steps that are computed again at once.
        arrays: of the source's slots.
        width: neurons of a row, of which every one feeds every other; 0 where none does.
    """

    steps: int
    count: int
    stretch: int
    arrays: Sequence[Laid]
    width: int = 0


class Target(Protocol):
    """A kind of device, and a language for it."""

    name: str
    ways: tuple[str, ...]
    """Which of :data:`KEEP`, :data:`AGAIN` and :data:`MARKS` it can do."""
    stretch: int
    """Time steps between two marks."""
    feeds_back: bool
    """Whether it can feed outputs back."""

    def forward(self, captured: Captured, variant: Variant) -> Source:
        """Prints the kernel forward in time."""
        ...

    def backward(self, captured: Captured, variant: Variant) -> Source:
        """Prints the kernel backward in time."""
        ...

    def load(self, source: Source, *, double: bool) -> Callable[[Launch], None]:
        """Compiles a source."""
        ...

    def empty(self, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """Memory for a result."""
        ...

    def way(self, steps: int, count: int) -> Way:
        """What a training run of so many steps of so many neurons leaves."""
        ...


class Program:
    """The forward and backward kernels of one captured step.

    Args:
        captured: the step.
        shape: of one time step.
        dtype: of the arithmetic.
        target: what runs it.
    """

    def __init__(
        self, captured: Captured, shape: torch.Size, dtype: torch.dtype, target: Target
    ) -> None:
        self.captured, self.shape, self.dtype, self.target = captured, shape, dtype, target
        self._calls: dict[object, _Call] = {}
        self._constants: dict[torch.device, list[Tensor]] = {}

    @cached_property
    def outputs(self) -> int:
        """How many outputs the step has."""
        return len(self.captured.values) - self.captured.states

    @cached_property
    def saves(self) -> tuple[Node, ...]:
        """What the backward needs of a step: inputs, and values kept or computed again."""
        return saved_values(self.captured)

    def left(self, way: str, steps: Any) -> list[tuple[Any, Format]]:
        """Rows and elements of what a training forward leaves to the backward."""
        if way == KEEP:
            double = self.dtype == torch.float64
            kept = (node for node in self.saves if node.role != "x")
            return [(steps, saved_format(node, double=double)) for node in kept]
        if way == MARKS:
            stretch = self.target.stretch
            return [((steps + stretch - 1) // stretch, "f")] * self.captured.states
        return []

    def forward(
        self,
        xs: Sequence[Tensor],
        states: Sequence[Tensor],
        params: Sequence[Tensor],
        traces: tuple[int, ...],
        way: str,
        feedback: Feedback | None = None,
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
        """Outputs, final states, state sequences, and what is left for the backward.

        With feedback, and where the backward needs it, the last of these is the input with what
        was fed back, which the backward takes for the input.
        """
        x = xs[0]
        read = self._read(params, x.device)
        fed = feedback is not None and self.reads_input(way)
        scalars = tuple([v.numel() == 1 for v in read])
        key = ("forward", way, traces, scalars, x.dtype, feedback is not None, fed)
        call = self._calls.get(key) or self._prepare(key, self._forward_variant(*key[1:]))
        steps, layout = x.shape[0], Layout.of(x)
        empty = self._allocator(layout, x.device)
        outs = [empty(call.io, steps) for _ in range(self.outputs)]
        finals = [empty("f") for _ in states]
        rows = [empty("f", steps) for _ in traces]
        left = [empty(element, count) for count, element in self.left(way, steps)]
        if fed:
            left.append(empty("f", steps))
        arrays = {
            "x": xs,
            "start": states,
            "param": read,
            "out": outs,
            "final": finals,
            "trace": dict(zip(traces, rows, strict=True)),
            "mark": left,
            "save": left,
            "fed": left[-1:],
            "weight": [feedback and feedback.weight.t()],
            "last": [feedback and feedback.last],
        }
        self._run(call, arrays, layout, steps, way)
        return outs, finals, rows, left

    def reads_input(self, way: str) -> bool:
        """Whether the backward reads the input again."""
        return way != KEEP or any(node.role == "x" for node in self.saves)

    def _forward_variant(
        self,
        way: str,
        traces: tuple[int, ...],
        scalars: tuple[bool, ...],
        dtype: torch.dtype,
        feedback: bool,
        fed: bool,
    ) -> Variant:
        return Variant(
            saves=self.saves if way == KEEP else (),
            marks=way == MARKS,
            traces=traces,
            scalars=scalars,
            double=self.dtype == torch.float64,
            io=HALVES.get(dtype, "f"),
            feedback=feedback,
            fed=fed,
        )

    def backward(
        self,
        xs: Sequence[Tensor],
        states: Sequence[Tensor],
        params: Sequence[Tensor],
        left: Sequence[Tensor],
        gouts: Sequence[Tensor | None],
        gfinals: Sequence[Tensor | None],
        traces: Mapping[int, Tensor],
        wants: tuple[bool, ...],
        way: str,
        feedback: Feedback | None = None,
    ) -> tuple[list[Tensor | None], list[Tensor], list[Tensor | None]]:
        """Gradients of inputs, initial states and parameters.

        With feedback, that of the output before the first step follows those of the states.
        """
        x = xs[0]
        read = self._read(params, x.device)
        scalars = tuple([v.numel() == 1 for v in read])
        key = ("backward", way, tuple(traces), wants, scalars, x.dtype, feedback is not None)
        call = self._calls.get(key) or self._prepare(key, self._backward_variant(*key[1:]))
        steps, layout = x.shape[0], Layout.of(x)
        empty = self._allocator(layout, x.device)
        # What no kernel writes would be whatever the memory held.
        written = [want and self.captured.grads[i] is not None for i, want in enumerate(wants)]
        gxs = [empty(call.io, steps) if one else None for one in written]
        gstarts = [empty("f") for _ in states]
        sums = [empty("f") for _ in self.captured.sums]
        glast = [] if feedback is None else [empty("f")]
        arrays = {
            "x": xs,
            # Without marks the whole run is one stretch, and its start the only mark.
            "mark": left if way == MARKS else [state.unsqueeze(0) for state in states],
            "param": read,
            "save": left,
            "gout": [self._dense(g, x) for g in gouts],
            "gfinal": gfinals,
            "gtrace": traces,
            "gx": gxs,
            "gstart": gstarts,
            "sum": sums,
            "fed": xs,
            "weight": [feedback and feedback.weight],
            "glast": glast,
        }
        self._run(call, arrays, layout, steps, way)
        return gxs, [*gstarts, *glast], self._to_params(params, sums)

    def _backward_variant(
        self,
        way: str,
        traces: tuple[int, ...],
        wants: tuple[bool, ...],
        scalars: tuple[bool, ...],
        dtype: torch.dtype,
        feedback: bool,
    ) -> Variant:
        return Variant(
            saves=self.saves,
            recompute=way != KEEP and any(node.role != "x" for node in self.saves),
            traces=traces,
            gx=wants,
            scalars=scalars,
            double=self.dtype == torch.float64,
            io=HALVES.get(dtype, "f"),
            feedback=feedback,
        )

    def _read(self, params: Sequence[Tensor], device: torch.device) -> list[Tensor]:
        """What the kernels read of the parameters."""
        # A step without tensors of its own is captured on the CPU, and so are its constants.
        if params:
            return self._prologue(params, device)
        if device not in self._constants:
            self._constants[device] = self._prologue(params, device)
        return self._constants[device]

    def _prologue(self, params: Sequence[Tensor], device: torch.device) -> list[Tensor]:
        with torch.no_grad():
            return [
                value.to(device, self.dtype if value.is_floating_point() else value.dtype)
                for value in self.captured.prologue(*params)
            ]

    def _to_params(self, params: Sequence[Tensor], sums: list[Tensor]) -> list[Tensor | None]:
        grads: list[Tensor | None] = [None] * len(params)
        if self.captured.epilogue is not None:
            with torch.no_grad():
                found = self.captured.epilogue(*params, *sums)
            for place, grad in zip(self.captured.learned, found, strict=True):
                grads[place] = grad if grad is None else grad.to(params[place].dtype)
        return grads

    def _allocator(self, layout: Layout, device: torch.device) -> Callable[..., Tensor]:
        def empty(element: Format, steps: int | None = None) -> Tensor:
            dtype = dtype_of(element, self.dtype)
            return layout.empty(lambda shape: self.target.empty(shape, dtype, device), steps)

        return empty

    def _dense(self, grad: Tensor | None, x: Tensor) -> Tensor:
        if grad is None:
            return x.new_zeros((1, *self.shape)).expand(x.shape[0], *self.shape)
        return grad

    def _prepare(self, key: tuple[Any, ...], variant: Variant) -> _Call:
        printed = self.target.forward if key[0] == "forward" else self.target.backward
        source = printed(self.captured, variant)
        run = self.target.load(source, double=variant.double)
        self._calls[key] = _Call(source.slots, variant.io, run)
        return self._calls[key]

    def _run(
        self, call: _Call, arrays: Mapping[str, Any], layout: Layout, steps: int, way: str
    ) -> None:
        count = self.shape.numel()
        if not count:
            return
        laid = [layout.lay(slot, arrays[slot.role][slot.place]) for slot in call.slots]
        stretch = self.target.stretch if way == MARKS else max(steps, 1)
        fed = any(slot.role == "weight" for slot in call.slots)
        call.run(Launch(steps, count, stretch, laid, self.shape[-1] if fed else 0))


class _Call(NamedTuple):
    """A compiled kernel: its arrays, the elements of its sequences, and how it is launched."""

    slots: tuple[Slot, ...]
    io: Format
    run: Callable[[Launch], None]
