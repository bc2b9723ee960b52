"""A captured step made ready for calls of one shape: which kernel variant, with which arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from snncore.kernels import build, pool
from snncore.kernels.capture import Captured
from snncore.kernels.emit import cpp
from snncore.kernels.emit.cpp import MAX_TILE, Variant
from snncore.kernels.emit.slots import Slot, Source
from snncore.kernels.saving import saved_values

_SCRATCH = 256 * 1024
_GRAIN = 32768


@dataclass
class _Loaded:
    source: Source
    function: Callable[..., Any]
    numbers: Any


class CpuProgram:
    """The forward and backward kernels of one captured step on the CPU.

    Args:
        captured: the step.
        shape: of one time step.
        dtype: of the arithmetic.
    """

    def __init__(self, captured: Captured, shape: torch.Size, dtype: torch.dtype) -> None:
        self.captured, self.shape, self.dtype = captured, shape, dtype
        self._variants: dict[object, _Loaded] = {}

    @cached_property
    def saves(self) -> tuple[Any, ...]:
        """What a training forward keeps."""
        return saved_values(self.captured)

    @property
    def kept(self) -> tuple[Any, ...]:
        """What of it needs memory."""
        return tuple(node for node in self.saves if node.role != "x")

    def values(self, params: Sequence[Tensor]) -> list[Tensor]:
        """What the kernels read of the parameters."""
        with torch.no_grad():
            return [value.to(self.dtype) for value in self.captured.prologue(*params)]

    def forward(
        self,
        xs: Sequence[Tensor],
        states: Sequence[Tensor],
        params: Sequence[Tensor],
        traces: tuple[int, ...],
        keep: bool,
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
        """Outputs, final states, state sequences, and what is kept for the backward."""
        steps = xs[0].shape[0]
        read = self.values(params)
        variant = Variant(
            saves=self.saves if keep else (),
            traces=traces,
            scalars=tuple(value.numel() == 1 for value in read),
            double=self.dtype == torch.float64,
        )
        outputs = len(self.captured.values) - self.captured.states
        outs = [self._sequence(steps) for _ in range(outputs)]
        finals = [pool.empty(self.shape, self.dtype) for _ in states]
        rows = [self._sequence(steps) for _ in traces]
        kept = [self._sequence(steps, node.kind) for node in variant.kept]
        arrays = {
            **_named("x", xs),
            **_named("start", states),
            **_named("param", read),
            **_named("out", outs),
            **_named("final", finals),
            **{("trace", i): row for i, row in zip(traces, rows, strict=True)},
            **_named("save", kept),
        }
        self._call("forward", variant, arrays, steps)
        return outs, finals, rows, kept

    def backward(
        self,
        xs: Sequence[Tensor],
        states: Sequence[Tensor],
        params: Sequence[Tensor],
        kept: Sequence[Tensor],
        gouts: Sequence[Tensor | None],
        gfinals: Sequence[Tensor | None],
        traces: Mapping[int, Tensor],
        wants: tuple[bool, ...],
        steps: int,
    ) -> tuple[list[Tensor | None], list[Tensor], list[Tensor | None]]:
        """Gradients of inputs, initial states and parameters."""
        read = self.values(params)
        variant = Variant(
            saves=self.saves,
            recompute=not kept and bool(self.kept),
            traces=tuple(traces),
            gx=wants,
            scalars=tuple(value.numel() == 1 for value in read),
            double=self.dtype == torch.float64,
        )
        gxs = [self._sequence(steps) if want else None for want in wants]
        gstarts = [pool.empty(self.shape, self.dtype) for _ in range(self.captured.states)]
        sums = [pool.empty(self.shape, self.dtype) for _ in self.captured.sums]
        arrays = {
            **_named("x", xs),
            **_named("start", states),
            **_named("param", read),
            **_named("save", kept),
            **{("gout", i): self._dense(g, steps) for i, g in enumerate(gouts)},
            **{("gfinal", i): g if g is None else g.contiguous() for i, g in enumerate(gfinals)},
            **{("gtrace", i): g.contiguous() for i, g in traces.items()},
            **_named("gx", gxs),
            **_named("gstart", gstarts),
            **_named("sum", sums),
        }
        self._call("backward", variant, arrays, steps)
        return gxs, gstarts, self._to_params(params, sums)

    def _to_params(self, params: Sequence[Tensor], sums: list[Tensor]) -> list[Tensor | None]:
        grads: list[Tensor | None] = [None] * len(params)
        if self.captured.epilogue is not None:
            with torch.no_grad():
                found = self.captured.epilogue(*params, *sums)
            for place, grad in zip(self.captured.learned, found, strict=True):
                grads[place] = grad if grad is None else grad.to(params[place].dtype)
        return grads

    def _sequence(self, steps: int, kind: str = "f") -> Tensor:
        dtype = self.dtype if kind == "f" else torch.uint8
        return pool.empty((steps, *self.shape), dtype)

    def _dense(self, grad: Tensor | None, steps: int) -> Tensor:
        if grad is None:
            return torch.zeros((1, *self.shape), dtype=self.dtype).expand(steps, *self.shape)
        return grad

    def _call(
        self, which: str, variant: Variant, arrays: Mapping[Any, Tensor | None], steps: int
    ) -> None:
        count = self.shape.numel()
        loaded = self._load(which, variant)
        slots = loaded.source.slots
        if not count or not (steps or slots):
            return
        # Waking threads costs more than small work; torch's own grain is of this size.
        threads = max(1, min(torch.get_num_threads(), steps * count // _GRAIN))
        dims = [steps, count, _tile(count, steps, threads, loaded.source.scratch), threads]
        pointers: list[int | None] = []
        alive: list[Tensor] = []
        for slot in slots:
            array, pair = self._lay(slot, arrays[slot.role, slot.place])
            dims += pair
            pointers.append(None if array is None else array.data_ptr())
            if array is not None:
                alive.append(array)
        loaded.function(
            (ctypes.c_int64 * len(dims))(*dims),
            (ctypes.c_void_p * len(pointers))(*pointers),
            loaded.numbers,
        )
        del alive

    def _lay(self, slot: Slot, array: Tensor | None) -> tuple[Tensor | None, tuple[int, int]]:
        """The array as a kernel reads it, with its two numbers (strides or channel layout)."""
        if array is None:
            return None, (0, 0)
        if slot.role == "param":
            return _channels(array, self.shape)
        if slot.role in ("start", "final", "gfinal", "gstart", "sum"):
            return array.contiguous(), (0, 0)
        if array.shape[0] and not array[0].is_contiguous():
            array = array.contiguous()
        return array, (array.stride(0), 0)

    def _load(self, which: str, variant: Variant) -> _Loaded:
        key = (which, variant)
        if key not in self._variants:
            source = (cpp.forward if which == "forward" else cpp.backward)(self.captured, variant)
            numbers = (ctypes.c_double * max(len(source.constants), 1))(*source.constants)
            self._variants[key] = _Loaded(source, build.load(source.text), numbers)
        return self._variants[key]


def _tile(count: int, steps: int, threads: int, scratch: int) -> int:
    share = -(-count // max(threads, 1))
    tile = min(MAX_TILE, max(256, -(-share // 64) * 64))
    if scratch:
        tile = min(tile, max(64, _SCRATCH // (4 * scratch * max(steps, 1)) // 64 * 64))
    return tile


def _channels(value: Tensor, shape: torch.Size) -> tuple[Tensor, tuple[int, int]]:
    """A parameter as (channels, neurons per channel), repeated over what lies before."""
    padded = [1] * (len(shape) - value.dim()) + list(value.shape)
    wide = [i for i, size in enumerate(padded) if size != 1]
    if not wide:
        return value.contiguous(), (1, 1)
    first, last = wide[0], wide[-1]
    if any(padded[i] != shape[i] for i in range(first, last + 1)):
        full = value.expand(shape).contiguous()
        return full, (full.numel(), 1)
    inner = 1
    for size in shape[last + 1 :]:
        inner *= size
    return value.contiguous(), (value.numel(), inner)


def _named(role: str, arrays: Sequence[Tensor | None]) -> dict[Any, Tensor | None]:
    return {(role, i): array for i, array in enumerate(arrays)}
