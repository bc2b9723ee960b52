"""Prints kernels as C++ with OpenMP.

A thread takes tiles of neurons; states live in small local arrays; time runs inside the tile and
the innermost loop over neurons is vectorised by the compiler.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from snncore.kernels.capture import Captured
from snncore.kernels.emit.c_body import Body
from snncore.kernels.emit.slots import Slot, Source
from snncore.kernels.ir import Node, inputs, needed

MAX_TILE = 4096


@dataclass(frozen=True)
class Variant:
    """Which kernel of a step is meant.

    Args:
        saves: values that the forward keeps and the backward reads; empty for inference.
        recompute: the backward runs the forward again instead of reading them.
        traces: indices of the states whose sequence is given out (and whose gradients come in).
        gx: which inputs want a gradient.
        scalars: which parameter values are single numbers.
        double: float64 arithmetic instead of float32.
    """

    saves: tuple[Node, ...] = ()
    recompute: bool = False
    traces: tuple[int, ...] = ()
    gx: tuple[bool, ...] = ()
    scalars: tuple[bool, ...] = ()
    double: bool = False

    @property
    def kept(self) -> tuple[Node, ...]:
        """The saved values that are no inputs of the step, which need memory."""
        return tuple(node for node in self.saves if node.role != "x")


class _Printer:
    def __init__(self, captured: Captured, variant: Variant) -> None:
        self.captured, self.variant = captured, variant
        self.slots: list[Slot] = []
        self.constants: list[float] = []

    def slot(self, role: str, place: int, kind: str = "f") -> Slot:
        slot = Slot(role, place, kind)  # pyright: ignore[reportArgumentType]
        self.slots.append(slot)
        return slot

    def text(self, before: Sequence[str], tile: Sequence[str], scratch: int = 0) -> Source:
        real = "double" if self.variant.double else "float"
        head = [
            f"typedef {real} S;",
            f"#define TILE {MAX_TILE}",
            resources.files("snncore.kernels.emit").joinpath("math.h").read_text(),
            'extern "C" void snn_kernel(',
            "    const int64_t* dims, void* const* ptr, const double* numbers) {",
            "  const int64_t T = dims[0], N = dims[1], tile_size = dims[2];",
            "  const int threads = (int)dims[3];",
        ]
        for place, slot in enumerate(self.slots):
            kind = "uint8_t" if slot.kind == "b" else "S"
            head.append(f"  {kind}* const {slot.name} = ({kind}*)ptr[{place}];")
            head.append(
                f"  const int64_t {slot.name}_a = dims[{4 + 2 * place}], "
                f"{slot.name}_b = dims[{5 + 2 * place}];"
            )
        head += [f"  const S k{i} = (S)numbers[{i}];" for i in range(len(self.constants))]
        lines = [
            *head,
            *before,
            "  const int64_t tiles = (N + tile_size - 1) / tile_size;",
            "  #pragma omp parallel num_threads(threads) if (threads > 1 && tiles > 1)",
            "  {",
            f"  S* scratch = snn_scratch((size_t)T * tile_size * {scratch});",
            "  #pragma omp for schedule(static)",
            "  for (int64_t tile = 0; tile < tiles; ++tile) {",
            "    const int64_t n0 = tile * tile_size;",
            "    const int64_t len = N - n0 < tile_size ? N - n0 : tile_size;",
            *tile,
            "  }",
            "  free(scratch);",
            "  }",
            "}",
        ]
        return Source("\n".join(lines) + "\n", tuple(self.slots), tuple(self.constants), scratch)

    def params(self, nodes: Sequence[Node]) -> tuple[list[str], list[str], dict[int, str]]:
        """(lines before the tiles, lines in each tile, names) for what is constant in time."""
        before: list[str] = []
        tile: list[str] = []
        names: dict[int, str] = {}
        for node in inputs(nodes, "param"):
            slot = self.slot("param", node.place)
            if self.variant.scalars[node.place]:
                before.append(f"  const S p{node.place} = {slot.name}[0];")
                names[node.index] = f"p{node.place}"
                continue
            tile += [
                f"    alignas(64) S p{node.place}[TILE];",
                f"    snn_spread(p{node.place}, {slot.name}, n0, len, "
                f"{slot.name}_a, {slot.name}_b);",
            ]
            names[node.index] = f"p{node.place}[b]"
        return before, tile, names


def forward(captured: Captured, variant: Variant) -> Source:
    """The kernel that runs all time steps forward."""
    printer = _Printer(captured, variant)
    roots = [*captured.values, *variant.kept]
    nodes = needed(roots)
    before, tile, names = printer.params(nodes)
    outputs = len(captured.values) - captured.states
    for node in inputs(nodes, "x"):
        names[node.index] = f"{printer.slot('x', node.place).name}_t[b]"
    for node in inputs(nodes, "state"):
        names[node.index] = f"old{node.place}"
    starts = [printer.slot("start", i) for i in range(captured.states)]
    finals = [printer.slot("final", i) for i in range(captured.states)]
    outs = [printer.slot("out", i) for i in range(outputs)]
    traces = [printer.slot("trace", i) for i in variant.traces]
    saves = [printer.slot("save", i, node.kind) for i, node in enumerate(variant.kept)]
    body = Body(names, printer.constants)
    body.lines += _olds(nodes)
    body.add(nodes)
    for i, start in enumerate(starts):
        tile += [
            f"    alignas(64) S s{i}[TILE];",
            f"    for (int64_t b = 0; b < len; ++b) s{i}[b] = {start.name}[n0 + b];",
        ]
    stores = [f"{slot.name}_t[b] = {body[captured.values[i]]};" for i, slot in enumerate(outs)]
    stores += [
        f"{slot.name}_t[b] = {body[captured.values[outputs + slot.place]]};" for slot in traces
    ]
    stores += [
        f"{slot.name}_t[b] = {body[node]};" for slot, node in zip(saves, variant.kept, strict=True)
    ]
    stores += [f"s{i}[b] = {body[captured.values[outputs + i]]};" for i in range(len(starts))]
    reads = [slot for slot in printer.slots if slot.role == "x"]
    tile += [
        "    for (int64_t t = 0; t < T; ++t) {",
        *_rows(reads, "t", const=True),
        *_rows([*outs, *traces, *saves], "t"),
        *_loop(body.lines, stores),
        "    }",
    ]
    tile += [
        f"    for (int64_t b = 0; b < len; ++b) {slot.name}[n0 + b] = s{i}[b];"
        for i, slot in enumerate(finals)
    ]
    return printer.text(before, tile)


def backward(captured: Captured, variant: Variant) -> Source:
    """The kernel that runs all time steps backward."""
    printer = _Printer(captured, variant)
    states = captured.states
    grads = captured.grads
    wanted = [
        (("gx", i), grad)
        for i, grad in enumerate(grads[: len(grads) - states])
        if grad is not None and variant.gx[i]
    ]
    carries = grads[len(grads) - states :]
    roots = [g for _, g in wanted] + [g for g in carries if g is not None] + list(captured.sums)
    nodes = needed(roots, variant.saves)
    again = needed([*captured.values[-states:], *variant.kept]) if variant.recompute else []
    before, tile, names = printer.params(_union(nodes, again))
    body = Body(names, printer.constants)
    reads: list[Slot] = []
    for node in inputs(_union([*nodes, *variant.saves], again), "x"):
        slot = printer.slot("x", node.place)
        reads.append(slot)
        body.names[node.index] = f"{slot.name}_t[b]"
    inner = dict(body.names)
    gouts = [printer.slot("gout", node.place) for node in inputs(nodes, "gout")]
    gtraces = [printer.slot("gtrace", i) for i in variant.traces]
    kept: list[Slot] = []
    for i, node in enumerate(variant.kept):
        if not variant.recompute:
            kept.append(printer.slot("save", i, node.kind))
        elif node.kind == "b":
            tile.append(
                f"    uint8_t* const save{i} = (uint8_t*)(scratch + (size_t)T * tile_size * {i});"
            )
        else:
            tile.append(f"    S* const save{i} = scratch + (size_t)T * tile_size * {i};")
        body.names[node.index] = f"save{i}_t[b]" if node.kind == "f" else f"(save{i}_t[b] != 0)"
    for node in inputs(nodes, "gout"):
        body.names[node.index] = f"gout{node.place}_t[b]"
    for i in range(states):
        trace = f" + gtrace{i}_t[b]" if i in variant.traces else ""
        body.lines.append(f"const S gs{i} = c{i}[b]{trace};")
    for node in inputs(nodes, "gstate"):
        body.names[node.index] = f"gs{node.place}"
    body.add(nodes)
    if variant.recompute:
        tile += _recomputed(printer, captured, variant, again, inner, reads)
    ends = [printer.slot("gfinal", i) for i in range(states)]
    begins = [printer.slot("gstart", i) for i in range(states)]
    for i, end in enumerate(ends):
        tile += [
            f"    alignas(64) S c{i}[TILE];",
            f"    for (int64_t b = 0; b < len; ++b) "
            f"c{i}[b] = {end.name} ? {end.name}[n0 + b] : (S)0;",
        ]
    sums = [printer.slot("sum", i) for i in range(len(captured.sums))]
    for i in range(len(sums)):
        tile += [
            f"    alignas(64) S r{i}[TILE];",
            f"    for (int64_t b = 0; b < len; ++b) r{i}[b] = (S)0;",
        ]
    outs = [(printer.slot("gx", place), grad) for (_, place), grad in wanted]
    stores = [f"{slot.name}_t[b] = {body[grad]};" for slot, grad in outs]
    stores += [f"r{i}[b] += {body[node]};" for i, node in enumerate(captured.sums)]
    stores += [
        f"c{i}[b] = {'(S)0' if grad is None else body[grad]};" for i, grad in enumerate(carries)
    ]
    local = _saves(variant) if variant.recompute else []
    tile += [
        "    for (int64_t t = T - 1; t >= 0; --t) {",
        *_rows([*reads, *gouts, *gtraces, *kept], "t", const=True),
        *_rows([slot for slot, _ in outs], "t"),
        *_local_rows(local),
        *_loop(body.lines, stores),
        "    }",
    ]
    tile += [
        f"    for (int64_t b = 0; b < len; ++b) {slot.name}[n0 + b] = c{i}[b];"
        for i, slot in enumerate(begins)
    ]
    tile += [
        f"    for (int64_t b = 0; b < len; ++b) {slot.name}[n0 + b] = r{i}[b];"
        for i, slot in enumerate(sums)
    ]
    return printer.text(before, tile, len(variant.kept) if variant.recompute else 0)


def _recomputed(
    printer: _Printer,
    captured: Captured,
    variant: Variant,
    nodes: list[Node],
    names: dict[int, str],
    reads: list[Slot],
) -> list[str]:
    """The forward again, into the scratch of this tile."""
    states = captured.states
    body = Body(names, printer.constants)
    for node in inputs(nodes, "state"):
        body.names[node.index] = f"old{node.place}"
    body.lines += _olds(nodes)
    body.add(nodes)
    lines: list[str] = []
    for i in range(states):
        start = printer.slot("start", i)
        lines += [
            f"    alignas(64) S s{i}[TILE];",
            f"    for (int64_t b = 0; b < len; ++b) s{i}[b] = {start.name}[n0 + b];",
        ]
    stores = [f"save{i}_t[b] = {body[node]};" for i, node in enumerate(variant.kept)]
    stores += [f"s{i}[b] = {body[value]};" for i, value in enumerate(captured.values[-states:])]
    local = _saves(variant)
    return [
        *lines,
        "    for (int64_t t = 0; t < T; ++t) {",
        *_rows(reads, "t", const=True),
        *_local_rows(local),
        *_loop(body.lines, stores),
        "    }",
    ]


def _olds(nodes: Sequence[Node]) -> list[str]:
    """Copies of the states: another state may take a value after it has changed."""
    return [f"const S old{n.place} = s{n.place}[b];" for n in inputs(nodes, "state")]


def _saves(variant: Variant) -> list[Slot]:
    return [Slot("save", i, node.kind) for i, node in enumerate(variant.kept)]


def _union(one: Sequence[Node], other: Sequence[Node]) -> list[Node]:
    found = {node.index: node for node in (*one, *other)}
    return [found[index] for index in sorted(found)]


def _rows(slots: Sequence[Slot], t: str, *, const: bool = False) -> list[str]:
    lines: list[str] = []
    for slot in slots:
        kind = ("const " if const else "") + ("uint8_t" if slot.kind == "b" else "S")
        lines.append(
            f"      {kind}* __restrict {slot.name}_t = {slot.name} + {t} * {slot.name}_a + n0;"
        )
    return lines


def _local_rows(slots: Sequence[Slot]) -> list[str]:
    lines: list[str] = []
    for slot in slots:
        kind = "uint8_t" if slot.kind == "b" else "S"
        lines.append(f"      {kind}* __restrict {slot.name}_t = {slot.name} + t * tile_size;")
    return lines


def _loop(body: Sequence[str], stores: Sequence[str]) -> list[str]:
    return [
        "      #pragma omp simd",
        "      for (int64_t b = 0; b < len; ++b) {",
        *(f"        {line}" for line in body),
        *(f"        {line}" for line in stores),
        "      }",
    ]
