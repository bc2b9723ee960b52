"""Prints kernels as C++ with OpenMP.

A thread takes tiles of neurons; carried values live in small local arrays; time runs inside the
tile and the innermost loop over neurons is vectorised by the compiler.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from snncore.kernels.capture import Captured
from snncore.kernels.emit import passes
from snncore.kernels.emit.c_body import ELEMENTS, TYPES, Body, defined, loaded, prelude, stored
from snncore.kernels.emit.passes import Pass, Variant
from snncore.kernels.emit.slots import Slot, Source
from snncore.kernels.ir import Node

Item = TypeVar("Item")
MAX_TILE = 4096


def forward(captured: Captured, variant: Variant) -> Source:
    """The kernel that runs all time steps forward."""
    run = passes.forward(captured, variant)
    printer = _Printer(variant, [run])
    body = printer.body(run)
    marks = [Slot("mark", i) for i in range(captured.states)] if variant.marks else []
    printer.slots += marks
    kept = [
        f"        for (int64_t b = 0; b < len; ++b) {mark.name}_t[b] = c{i}[b];"
        for i, mark in enumerate(marks)
    ]
    rows = _rows(marks, "(t / stretch)")
    tile = [
        *_begin(run),
        "    for (int64_t t = 0; t < T; ++t) {",
        *(["      if (t % stretch == 0) {", *rows, *kept, "      }"] if marks else []),
        *printer.step(run, body, "t"),
        "    }",
        *_end(run),
    ]
    return printer.source(tile)


def backward(captured: Captured, variant: Variant) -> Source:
    """The kernel that runs all time steps backward, stretch by stretch from the last."""
    run = passes.backward(captured, variant)
    if not variant.recompute:
        printer = _Printer(variant, [run])
        body = printer.body(run)
        tile = [
            *_begin(run),
            "    for (int64_t t = T - 1; t >= 0; --t) {",
            *printer.step(run, body, "t"),
            "    }",
            *_end(run),
        ]
        return printer.source(tile)
    again = passes.again(captured, variant)
    printer = _Printer(variant, [run, again], local=[slot for slot, _ in again.writes])
    body, other = printer.body(run), printer.body(again, "a")
    tile = [
        *(
            f"    {_element(slot)}* const {slot.name} = "
            f"({_element(slot)}*)(scratch + (size_t)stretch * tile_size * {i});"
            for i, slot in enumerate(printer.local)
        ),
        *_begin(run),
        # Without a step there is no mark to read, and the quotient rounds toward zero.
        "    const int64_t end = T > 0 ? (T - 1) / stretch * stretch : -1;",
        "    for (int64_t first = end; first >= 0; first -= stretch) {",
        "    const int64_t last = T - first < stretch ? T - 1 : first + stretch - 1;",
        *(f"    alignas(64) S a{i}[TILE];" for i in range(len(again.begins))),
        "    {",
        *(
            f"      const S* const {slot.name}_t = {slot.name} + first / stretch * {slot.name}_a;"
            for slot in again.begins
        ),
        *(
            f"      snn_begin(a{i}, {slot.name}_t, n0, len, {slot.name}_b);"
            for i, slot in enumerate(again.begins)
        ),
        "    }",
        "    for (int64_t t = first; t <= last; ++t) {",
        *printer.step(again, other, "t", carry="a"),
        "    }",
        "    for (int64_t t = last; t >= first; --t) {",
        *printer.step(run, body, "t"),
        "    }",
        "    }",
        *_end(run),
    ]
    return printer.source(tile)


def head(*, double: bool) -> list[str]:
    """What stands before a kernel."""
    inline = "static inline __attribute__((always_inline))"
    return prelude(inline, "math.h", double=double)


class _Printer:
    """What the runs of one kernel share.

    Args:
        runs: through time, in one kernel.
        local: arrays that live in scratch memory, one stretch of time steps long.
    """

    def __init__(self, variant: Variant, runs: Sequence[Pass], local: Sequence[Slot] = ()) -> None:
        self.variant = variant
        self.local = tuple(local)
        self.functions = [function for run in runs for function in run.functions]
        self.constants: list[float] = []
        self.slots = list(_unique(slot for run in runs for slot in run.slots))
        self.slots = [slot for slot in self.slots if slot not in self.local]
        self.before: list[str] = []
        self.tile: list[str] = []
        self.names: dict[int, str] = {}
        for slot, node in _unique(pair for run in runs for pair in run.params):
            self._param(slot, node)

    def _param(self, slot: Slot, node: Node) -> None:
        kind, name = _element(slot), f"p{slot.place}"
        if self.variant.scalars[slot.place]:
            self.before.append(f"  const {kind} {name} = {slot.name}[0];")
            self.names[node.index] = f"({loaded(slot.kind, name, node.kind)})"
            return
        self.tile += [
            f"    alignas(64) {kind} {name}[TILE];",
            f"    snn_spread({name}, {slot.name}, n0, len, {slot.name}_a, {slot.name}_b);",
        ]
        self.names[node.index] = f"({loaded(slot.kind, f'{name}[b]', node.kind)})"

    def body(self, run: Pass, carry: str = "c") -> Body:
        """The statements of one step and neuron, up to what is written."""
        body = Body(self.names, self.constants)
        for slot, node in run.reads:
            value = loaded(slot.kind, _at(slot), node.kind)
            body.lines.append(f"const {TYPES[node.kind]} {slot.name}_v = {value};")
            body.names[node.index] = f"{slot.name}_v"
        for i, node in enumerate(run.carried):
            # Copies, since another carried value may take this one after it has changed.
            more = f" + {_at(run.added[i])}" if run.added and run.added[i] else ""
            if node is not None:
                body.lines.append(f"const S old{i} = {carry}{i}[b]{more};")
                body.names[node.index] = f"old{i}"
        body.add(run.nodes)
        return body

    def step(self, run: Pass, body: Body, t: str, carry: str = "c") -> list[str]:
        """One time step of all neurons of a tile."""
        stores = [f"{_at(slot)} = {stored(slot.kind, body, node)};" for slot, node in run.writes]
        stores += [f"r{slot.place}[b] += {body.real(node)};" for slot, node in run.sums]
        stores += [f"{carry}{i}[b] = {body.real(node)};" for i, node in enumerate(run.nexts)]
        inside = [slot for slot, _ in (*run.reads, *run.writes) if slot in self.local]
        reads = [slot for slot, _ in run.reads if slot not in self.local]
        added = [slot for slot in run.added if slot]
        return [
            *_rows([*reads, *added], t, const=True),
            *_rows([slot for slot, _ in run.writes if slot not in self.local], t),
            *(
                f"      {_element(slot)}* __restrict {slot.name}_t = "
                f"{slot.name} + ({t} - first) * tile_size;"
                for slot in inside
            ),
            "      #pragma omp simd",
            "      for (int64_t b = 0; b < len; ++b) {",
            *(f"        {line}" for line in body.lines),
            *(f"        {line}" for line in stores),
            "      }",
        ]

    def source(self, tile: Sequence[str]) -> Source:
        """The whole text."""
        lines = [
            *defined(head(double=self.variant.double), self.functions),
            f"#define TILE {MAX_TILE}",
            'extern "C" void snn_kernel(',
            "    const int64_t* dims, void* const* ptr, const double* numbers) {",
            "  const int64_t T = dims[0], N = dims[1], tile_size = dims[2];",
            "  const int threads = (int)dims[3];",
            "  const int64_t stretch = dims[4];",
        ]
        for place, slot in enumerate(self.slots):
            kind = _element(slot)
            lines.append(f"  {kind}* const {slot.name} = ({kind}*)ptr[{place}];")
            lines.append(
                f"  const int64_t {slot.name}_a = dims[{5 + 2 * place}], "
                f"{slot.name}_b = dims[{6 + 2 * place}];"
            )
        lines += [f"  const S k{i} = (S)numbers[{i}];" for i in range(len(self.constants))]
        scratch = len(self.local)
        lines += [
            *self.before,
            "  const int64_t tiles = (N + tile_size - 1) / tile_size;",
            "  #pragma omp parallel num_threads(threads) if (threads > 1 && tiles > 1)",
            "  {",
            f"  S* scratch = snn_scratch<S>((size_t)stretch * tile_size * {scratch});",
            "  #pragma omp for schedule(static)",
            "  for (int64_t tile = 0; tile < tiles; ++tile) {",
            "    const int64_t n0 = tile * tile_size;",
            "    const int64_t len = N - n0 < tile_size ? N - n0 : tile_size;",
            *self.tile,
            *tile,
            "  }",
            "  free(scratch);",
            "  }",
            "}",
        ]
        return Source("\n".join(lines) + "\n", tuple(self.slots), tuple(self.constants), scratch)


def _begin(run: Pass) -> list[str]:
    lines: list[str] = []
    for i, slot in enumerate(run.begins):
        lines.append(f"    alignas(64) S c{i}[TILE];")
        lines.append(f"    snn_begin(c{i}, {slot.name}, n0, len, {slot.name}_a);")
    for slot, _ in run.sums:
        lines.append(f"    alignas(64) S r{slot.place}[TILE];")
        lines.append(f"    for (int64_t b = 0; b < len; ++b) r{slot.place}[b] = (S)0;")
    return lines


def _end(run: Pass) -> list[str]:
    kept = [(slot.name, f"c{i}") for i, slot in enumerate(run.ends)]
    kept += [(slot.name, f"r{slot.place}") for slot, _ in run.sums]
    return [
        f"    for (int64_t b = 0; b < len; ++b) {name}[n0 + b] = {value}[b];"
        for name, value in kept
    ]


def _rows(slots: Iterable[Slot], t: str, *, const: bool = False) -> list[str]:
    return [
        f"      {'const ' * const}{_element(slot)}* __restrict {slot.name}_t = "
        f"{slot.name} + {t} * {slot.name}_a + n0;"
        for slot in slots
    ]


def _at(slot: Slot | None) -> str:
    return "" if slot is None else f"{slot.name}_t[b]"


def _element(slot: Slot) -> str:
    return ELEMENTS[slot.kind]


def _unique(found: Iterable[Item]) -> list[Item]:
    return list(dict.fromkeys(found))
