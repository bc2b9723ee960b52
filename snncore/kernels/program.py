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
from snncore.kernels.emit.slots import HALVES, Format, Source, dtype_of
from snncore.kernels.ir import Node
from snncore.kernels.layout import Laid, Layout
from snncore.kernels.saving import saved_values

KEEP, AGAIN, MARKS = "keep", "again", "marks"
"""What a training forward leaves to the backward: all that it needs; nothing, so that the backward
runs the forward again; or the states before every k-th step, from which it is run again."""


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
    """

    steps: int
    count: int
    stretch: int
    arrays: Sequence[Laid]


class Target(Protocol):
    """A kind of device, and a language for it."""

    name: str
    ways: tuple[str, ...]
    """Which of :data:`KEEP`, :data:`AGAIN` and :data:`MARKS` it can do."""
    stretch: int
    """Time steps between two marks."""

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
        self._variants: dict[object, tuple[Source, Callable[[Launch], None]]] = {}

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
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
        """Outputs, final states, state sequences, and what is left for the backward."""
        steps = xs[0].shape[0]
        read = self._read(params, xs[0].device)
        variant = Variant(
            saves=self.saves if way == KEEP else (),
            marks=way == MARKS,
            traces=traces,
            scalars=tuple(value.numel() == 1 for value in read),
            double=self.dtype == torch.float64,
            io=HALVES.get(xs[0].dtype, "f"),
        )
        outputs = len(self.captured.values) - self.captured.states
        layout = Layout.of(xs[0])
        empty = self._allocator(layout, xs[0].device)
        outs = [empty(variant.io, steps) for _ in range(outputs)]
        finals = [empty("f") for _ in states]
        rows = [empty("f", steps) for _ in traces]
        left = [empty(element, count) for count, element in self.left(way, steps)]
        arrays = {
            **_named("x", xs),
            **_named("start", states),
            **_named("param", read),
            **_named("out", outs),
            **_named("final", finals),
            **{("trace", i): row for i, row in zip(traces, rows, strict=True)},
            **_named("mark" if way == MARKS else "save", left),
        }
        self._call("forward", variant, arrays, layout, steps, way)
        return outs, finals, rows, left

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
    ) -> tuple[list[Tensor | None], list[Tensor], list[Tensor | None]]:
        """Gradients of inputs, initial states and parameters."""
        steps = xs[0].shape[0]
        layout = Layout.of(xs[0])
        empty = self._allocator(layout, xs[0].device)
        read = self._read(params, xs[0].device)
        variant = Variant(
            saves=self.saves,
            recompute=way != KEEP and any(node.role != "x" for node in self.saves),
            traces=tuple(traces),
            gx=wants,
            scalars=tuple(value.numel() == 1 for value in read),
            double=self.dtype == torch.float64,
            io=HALVES.get(xs[0].dtype, "f"),
        )
        gxs = [empty(variant.io, steps) if want else None for want in wants]
        gstarts = [empty("f") for _ in states]
        sums = [empty("f") for _ in self.captured.sums]
        # Without marks the whole run is one stretch, and its start the only mark.
        marks = left if way == MARKS else [state.unsqueeze(0) for state in states]
        arrays = {
            **_named("x", xs),
            **_named("mark", marks),
            **_named("param", read),
            **(_named("save", left) if way == KEEP else {}),
            **{("gout", i): self._dense(g, xs[0]) for i, g in enumerate(gouts)},
            **_named("gfinal", gfinals),
            **{("gtrace", i): g for i, g in traces.items()},
            **_named("gx", gxs),
            **_named("gstart", gstarts),
            **_named("sum", sums),
        }
        self._call("backward", variant, arrays, layout, steps, way)
        return gxs, gstarts, self._to_params(params, sums)

    def _read(self, params: Sequence[Tensor], device: torch.device) -> list[Tensor]:
        """What the kernels read of the parameters."""
        # A step without tensors of its own is captured on the CPU, and so are its constants.
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

    def _call(
        self,
        which: str,
        variant: Variant,
        arrays: Mapping[Any, Tensor | None],
        layout: Layout,
        steps: int,
        way: str,
    ) -> None:
        count = self.shape.numel()
        if not count:
            return
        source, run = self._load(which, variant)
        laid = [layout.lay(slot, arrays[slot.role, slot.place]) for slot in source.slots]
        stretch = self.target.stretch if way == MARKS else max(steps, 1)
        run(Launch(steps, count, stretch, laid))

    def _load(self, which: str, variant: Variant) -> tuple[Source, Callable[[Launch], None]]:
        key = (which, variant)
        if key not in self._variants:
            printed = self.target.forward if which == "forward" else self.target.backward
            source = printed(self.captured, variant)
            self._variants[key] = source, self.target.load(source, double=variant.double)
        return self._variants[key]


def _named(role: str, arrays: Sequence[Tensor | None]) -> dict[Any, Tensor | None]:
    return {(role, i): array for i, array in enumerate(arrays)}
