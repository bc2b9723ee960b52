"""Prints kernels as CUDA C for NVRTC and nvcc.

A thread takes one neuron; its states and gradients live in registers; time runs inside. The
sequences of a few steps are loaded at once before these steps are computed: a division is a
branch, over which the compiler would move no load, and one load at a time leaves memory idle.

Every array and constant is an argument of its own, see :func:`arguments`. A table of pointers on
the device would cost a copy per launch, and only arguments can be ``__restrict__``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from snncore.kernels.capture import Captured
from snncore.kernels.emit import passes
from snncore.kernels.emit.c_body import ELEMENTS, Body, defined, loaded, prelude, stored
from snncore.kernels.emit.passes import Pass, Variant
from snncore.kernels.emit.slots import PER_NEURON, Slot, Source

# Contraction would make the GPU's membrane differ from that of every other backend.
FLAGS = ("--std=c++17", "--fmad=false")
BLOCK = 256
AHEAD = 4
STRETCH = 8
"""Steps between two marks; what lies between is computed again in registers."""


def forward(captured: Captured, variant: Variant) -> Source:
    """The kernel that runs all time steps forward."""
    run = passes.forward(captured, variant)
    thread = _Thread(variant, [run])
    marks = [Slot("mark", i) for i in range(captured.states)] if variant.marks else []
    thread.slots += marks
    thread.written |= set(marks)
    kept = [f"{mark.name}[t / STRETCH * {mark.name}_a + n] = c{i};" for i, mark in enumerate(marks)]
    lines = [
        "for (i64 first = 0; first < T; first += AHEAD) {",
        *thread.declared(run),
        *_steps("AHEAD", "first + j", thread.loads(run)),
        *_steps(
            "AHEAD",
            "first + j",
            [*(["if (t % STRETCH == 0) {", *kept, "}"] if marks else []), *thread.step(run)],
        ),
        "}",
    ]
    return thread.source(run, lines)


def backward(captured: Captured, variant: Variant) -> Source:
    """The kernel that runs all time steps backward, from saved values or from marks."""
    run = passes.backward(captured, variant)
    if not variant.recompute:
        thread = _Thread(variant, [run])
        lines = [
            "for (i64 first = 0; first < T; first += AHEAD) {",
            *thread.declared(run),
            *_steps("AHEAD", "T - 1 - (first + j)", thread.loads(run)),
            *_steps("AHEAD", "T - 1 - (first + j)", thread.step(run)),
            "}",
        ]
        return thread.source(run, lines)
    again = passes.again(captured, variant)
    thread = _Thread(variant, [run, again], local=[slot for slot, _ in again.writes])
    lines = [
        # Without a step there is no mark to read, and the quotient rounds toward zero.
        "const i64 last = T > 0 ? (T - 1) / STRETCH * STRETCH : -1;",
        "for (i64 first = last; first >= 0; first -= STRETCH) {",
        *thread.declared(run, again),
        *_steps("STRETCH", "first + j", thread.loads(run, again)),
        *(
            f"S a{i} = {slot.name}[first / STRETCH * {slot.name}_a + ({slot.name}_b > 1 ? n : 0)];"
            for i, slot in enumerate(again.begins)
        ),
        *_steps("STRETCH", "first + j", thread.step(again, "a")),
        *_steps("STRETCH", "first + j", thread.step(run), down=True),
        "}",
    ]
    return thread.source(run, lines)


class _Thread:
    """What one thread declares, and what it does at each step.

    Args:
        runs: through time, in one kernel.
        local: arrays that live in registers, one stretch long.
    """

    def __init__(self, variant: Variant, runs: Sequence[Pass], local: Sequence[Slot] = ()) -> None:
        self.variant, self.local = variant, tuple(local)
        self.functions = [function for run in runs for function in run.functions]
        slots = dict.fromkeys(slot for run in runs for slot in run.slots)
        self.slots = [slot for slot in slots if slot not in self.local]
        self.written = {slot for run in runs for slot in run.written}
        self.constants: list[float] = []
        self.params: list[str] = []
        self.names: dict[int, str] = {}
        for slot, node in dict.fromkeys(pair for run in runs for pair in run.params):
            name, kind = f"p{slot.place}", ELEMENTS[slot.kind]
            where = "0" if variant.scalars[slot.place] else f"n / {slot.name}_b % {slot.name}_a"
            self.params.append(f"const {kind} {name} = {slot.name}[{where}];")
            self.names[node.index] = f"({loaded(slot.kind, name, node.kind)})"

    def _sequences(self, runs: Sequence[Pass]) -> list[Slot]:
        """What is loaded ahead."""
        found = dict.fromkeys(
            slot
            for run in runs
            for slot in (*(slot for slot, _ in run.reads), *(slot for slot in run.added if slot))
        )
        return [slot for slot in found if slot not in self.local]

    def declared(self, *runs: Pass) -> list[str]:
        """Room for some steps of the sequences, and for what is computed again."""
        size = "STRETCH" if self.local else "AHEAD"
        return [
            f"{ELEMENTS[slot.kind]} {slot.name}_t[{size}];"
            for slot in (*self._sequences(runs), *self.local)
        ]

    def loads(self, *runs: Pass) -> list[str]:
        """Reads a step of every sequence."""
        return [f"{slot.name}_t[j] = {_at(slot)};" for slot in self._sequences(runs)]

    def step(self, run: Pass, carry: str = "c") -> list[str]:
        """One time step of a neuron."""
        body = Body(self.names, self.constants)
        for slot, node in run.reads:
            body.names[node.index] = f"({loaded(slot.kind, f'{slot.name}_t[j]', node.kind)})"
        for i, node in enumerate(run.carried):
            # Copies, since another carried value may take this one after it has changed.
            extra = run.added[i] if run.added else None
            more = "" if extra is None else f" + {extra.name}_t[j]"
            if node is not None:
                body.lines.append(f"const S old{i} = {carry}{i}{more};")
                body.names[node.index] = f"old{i}"
        body.add(run.nodes)
        stores = [
            f"{f'{slot.name}_t[j]' if slot in self.local else _at(slot)} = "
            f"{stored(slot.kind, body, node)};"
            for slot, node in run.writes
        ]
        stores += [f"r{slot.place} += {body.real(node)};" for slot, node in run.sums]
        stores += [f"{carry}{i} = {body.real(node)};" for i, node in enumerate(run.nexts)]
        return [*body.lines, *stores]

    def source(self, run: Pass, lines: Sequence[str]) -> Source:
        """The kernel: what is carried begins, time runs, and it ends."""
        takes = ["const i64 T", "const i64 N"]
        for slot in self.slots:
            const = "" if slot in self.written else "const "
            takes.append(
                f"{const}{ELEMENTS[slot.kind]}* __restrict__ const {slot.name}, "
                f"const i64 {slot.name}_a, const i64 {slot.name}_b"
            )
        takes += [f"const S k{place}" for place in range(len(self.constants))]
        begins = [
            f"S c{i} = {slot.name} ? {slot.name}[{slot.name}_a > 1 ? n : 0] : (S)0;"
            for i, slot in enumerate(run.begins)
        ]
        inline = "__device__ __forceinline__"
        head = prelude(inline, "cuda_math.h", double=self.variant.double)
        text = [
            *defined(head, self.functions),
            f"#define AHEAD {AHEAD}",
            f"#define STRETCH {STRETCH}",
            'extern "C" __global__ void snn_kernel(',
            ",\n".join(f"    {one}" for one in takes) + ") {",
            "  const i64 n = (i64)blockIdx.x * blockDim.x + threadIdx.x;",
            "  if (n >= N) return;",
            *(f"  {line}" for line in self.params),
            *(f"  {line}" for line in begins),
            *(f"  S r{slot.place} = (S)0;" for slot, _ in run.sums),
            *(f"  {line}" for line in lines),
            *(f"  {slot.name}[n] = c{i};" for i, slot in enumerate(run.ends)),
            *(f"  {slot.name}[n] = r{slot.place};" for slot, _ in run.sums),
            "}",
        ]
        return Source("\n".join(text) + "\n", tuple(self.slots), tuple(self.constants))


def arguments(
    source: Source,
    steps: int,
    count: int,
    arrays: Sequence[tuple[int | None, int, int]],
    *,
    double: bool,
) -> tuple[np.generic, ...]:
    """What a launch hands over, in order, as numpy scalars of the right widths.

    A launch runs ``ceil(count / BLOCK)`` blocks of ``BLOCK`` threads.

    Args:
        source: printed by this module.
        steps, count: time steps, and neurons of one step.
        arrays: for each slot of the source its device address (None for an absent ``gfinal``) and
            two numbers, as :data:`snncore.kernels.layout.Laid` has them.
        double: as in the variant.
    """
    real = np.float64 if double else np.float32
    flat = [number for address, a, b in arrays for number in (address or 0, a, b)]
    return (
        *(np.int64(number) for number in (steps, count, *flat)),
        *(real(number) for number in source.constants),
    )


def _steps(count: str, clock: str, lines: Iterable[str], *, down: bool = False) -> list[str]:
    order = f"int j = {count} - 1; j >= 0; --j" if down else f"int j = 0; j < {count}; ++j"
    return [
        "  #pragma unroll",
        f"  for ({order}) {{",
        "    if (first + j < T) {",
        f"      const i64 t = {clock};",
        *(f"      {line}" for line in lines),
        "    }",
        "  }",
    ]


def _at(slot: Slot) -> str:
    return f"{slot.name}[n]" if slot.role in PER_NEURON else f"{slot.name}[t * {slot.name}_a + n]"
