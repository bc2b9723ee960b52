"""Prints kernels as C++ with OpenMP.

A thread takes tiles of neurons; carried values live in small local arrays; time runs inside the
tile and the innermost loop over neurons is vectorised by the compiler.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import resources
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
        *printer.begin(run),
        "    for (int64_t t = 0; t < T; ++t) {",
        *(["      if (t % stretch == 0) {", *rows, *kept, "      }"] if marks else []),
        *printer.fed(run, "t > 0", "t - 1"),
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
            *printer.begin(run),
            "    for (int64_t t = T - 1; t >= 0; --t) {",
            *printer.fed(run, "t < T - 1", "t + 1"),
            *printer.step(run, body, "t"),
            "    }",
            *_end(run),
            *printer.fed_last(run),
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
        *printer.begin(run),
        # Without a step there is no mark to read, and the quotient rounds toward zero.
        "    const int64_t end = T > 0 ? (T - 1) / stretch * stretch : -1;",
        "    for (int64_t first = end; first >= 0; first -= stretch) {",
        "    const int64_t last = T - first < stretch ? T - 1 : first + stretch - 1;",
        *(printer.array("S", f"a{i}") for i in range(len(again.begins))),
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
        *printer.fed(run, "t < T - 1", "t + 1"),
        *printer.step(run, body, "t"),
        "    }",
        "    }",
        *_end(run),
        *printer.fed_last(run),
    ]
    return printer.source(tile)


def head(*, double: bool) -> list[str]:
    """What stands before a kernel."""
    inline = "static inline __attribute__((always_inline))"
    return prelude(inline, "math.h", double=double)


def product_head(*, double: bool) -> list[str]:
    """The same, and products of rows with weights."""
    product = resources.files("snncore.kernels.emit").joinpath("product.h")
    return [*head(double=double), product.read_text()]


def product(*, double: bool) -> str:
    """The kernel that multiplies rows by weights; arrays: to, from, weights, bias or null."""
    lines = [
        *product_head(double=double),
        'extern "C" void snn_kernel(',
        "    const int64_t* dims, void* const* ptr, const double*) {",
        "  const int64_t rows = dims[0], size = dims[1], width = dims[2], tile = dims[3];",
        "  const int threads = (int)dims[4];",
        "  S* const to = (S*)ptr[0];",
        "  const S *const from = (const S*)ptr[1], *const bias = (const S*)ptr[3];",
        "  S* const panels = snn_scratch<S>(snn_panels(width) * SNN_PANEL * size);",
        "  #pragma omp parallel num_threads(threads) if (threads > 1)",
        "  {",
        "  #pragma omp for schedule(static)",
        "  for (int64_t i = 0; i < snn_panels(width); ++i)",
        "    snn_pack(panels, (const S*)ptr[2], i, size, width, dims[5], dims[6]);",
        "  int32_t* const places = snn_scratch<int32_t>(tile * (size + 2));",
        "  #pragma omp for schedule(static)",
        "  for (int64_t r = 0; r < rows; r += tile) {",
        "    const int64_t count = rows - r < tile ? rows - r : tile;",
        "    for (int64_t i = r; i < r + count; ++i) {",
        "      if (bias) __builtin_memcpy(to + i * width, bias, width * sizeof(S));",
        "      else __builtin_memset(to + i * width, 0, width * sizeof(S));",
        "    }",
        "    snn_product(to + r * width, from + r * size, count, size, width, panels, places);",
        "  }",
        "  free(places);",
        "  }",
        "  free(panels);",
        "}",
    ]
    return "\n".join(lines) + "\n"


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
        # A block of whole rows may be larger than what may stand on the stack.
        self.room = 0 if variant.feedback else None
        for slot, node in _unique(pair for run in runs for pair in run.params):
            self._param(slot, node)

    def _param(self, slot: Slot, node: Node) -> None:
        kind, name = _element(slot), f"p{slot.place}"
        if self.variant.scalars[slot.place]:
            self.before.append(f"  const {kind} {name} = {slot.name}[0];")
            self.names[node.index] = f"({loaded(slot.kind, name, node.kind)})"
            return
        self.tile += [
            self.array(kind, name),
            f"    snn_spread({name}, {slot.name}, n0, len, {slot.name}_a, {slot.name}_b);",
        ]
        self.names[node.index] = f"({loaded(slot.kind, f'{name}[b]', node.kind)})"

    def array(self, kind: str, name: str) -> str:
        """Declares memory for one value of every neuron of a tile."""
        if self.room is None:
            return f"    alignas(64) {kind} {name}[TILE];"
        self.room += 1
        return f"    {kind}* const {name} = ({kind}*)(room + tile_size * {self.room - 1});"

    def begin(self, run: Pass) -> list[str]:
        """Before the first time step of a tile."""
        lines: list[str] = []
        for i, slot in enumerate(run.begins):
            lines.append(self.array("S", f"c{i}"))
            lines.append(f"    snn_begin(c{i}, {slot.name}, n0, len, {slot.name}_a);")
        for slot, _ in run.sums:
            lines.append(self.array("S", f"r{slot.place}"))
            lines.append(f"    for (int64_t b = 0; b < len; ++b) r{slot.place}[b] = (S)0;")
        if run.feed:
            # Twice, since a row takes two numbers more.
            lines += [self.array("int32_t", "places"), self.array("int32_t", "places_end")]
            lines += [] if run.feed.kept else [self.array("S", f"{run.feed.total.name}_row")]
        return lines

    def fed(self, run: Pass, follows: str, before: str) -> list[str]:
        """The sum of a sequence and what the step before feeds back.

        Args:
            follows: whether there was one.
            before: its time.
        """
        feed = run.feed
        if feed is None:
            return []
        total, source = f"{feed.total.name}_t", feed.source.name
        first = f"{feed.before.name} + n0" if feed.before else "nullptr"
        row = f"{feed.total.name} + t * {feed.total.name}_a + n0"
        return [
            f"      S* const {total} = {row if feed.kept else f'{feed.total.name}_row'};",
            "      {",
            *_rows([feed.given], "t", const=True),
            f"      __builtin_memcpy({total}, {feed.given.name}_t, len * sizeof(S));",
            f"      const S* const from = {follows} ? {source} + ({before}) * {source}_a + n0 "
            f": {first};",
            f"      if (from) snn_product({total}, from, len / width, width, width, panels, "
            "places);",
            "      }",
        ]

    def fed_last(self, run: Pass) -> list[str]:
        """What the last step feeds back, for what was before the first."""
        if run.feed is None or run.feed.after is None:
            return []
        to = f"{run.feed.after.name} + n0"
        return [
            f"    __builtin_memset({to}, 0, len * sizeof(S));",
            f"    if (T > 0) snn_product({to}, {run.feed.source.name} + n0, len / width, width, "
            "width, panels, places);",
        ]

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
        known = (*self.local, run.feed.total) if run.feed else self.local
        reads = [slot for slot, _ in run.reads if slot not in known]
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

    def _head(self) -> list[str]:
        double = self.variant.double
        return head(double=double) if self.room is None else product_head(double=double)

    def _weights(self) -> tuple[list[str], list[str], list[str]]:
        """Before the threads begin and in each; what each ends with; after all of them."""
        if self.room is None:
            return [], [], []
        if Slot("weight", 0) not in self.slots:
            packing = ["  const int64_t width = 1;", "  S* const panels = nullptr;"]
        else:
            packing = [
                f"  const int64_t width = dims[{5 + 2 * len(self.slots)}];",
                "  S* const panels = snn_scratch<S>(snn_panels(width) * SNN_PANEL * width);",
                "  #pragma omp for schedule(static)",
                "  for (int64_t i = 0; i < snn_panels(width); ++i)",
                "    snn_pack(panels, weight0, i, width, width, weight0_a, weight0_b);",
            ]
        room = f"  double* const room = snn_scratch<double>((size_t)tile_size * {self.room});"
        return [*packing, room], ["  free(room);"], ["  free(panels);"]

    def source(self, tile: Sequence[str]) -> Source:
        """The whole text."""
        lines = [
            *defined(self._head(), self.functions),
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
        packing, room, freeing = self._weights()
        lines += [
            *self.before,
            "  const int64_t tiles = (N + tile_size - 1) / tile_size;",
            *packing[:2],
            "  #pragma omp parallel num_threads(threads) if (threads > 1 && tiles > 1)",
            "  {",
            *packing[2:],
            f"  S* scratch = snn_scratch<S>((size_t)stretch * tile_size * {scratch});",
            "  #pragma omp for schedule(static)",
            "  for (int64_t tile = 0; tile < tiles; ++tile) {",
            "    const int64_t n0 = tile * tile_size;",
            "    const int64_t len = N - n0 < tile_size ? N - n0 : tile_size;",
            *self.tile,
            *tile,
            "  }",
            "  free(scratch);",
            *room,
            "  }",
            *freeing,
            "}",
        ]
        return Source("\n".join(lines) + "\n", tuple(self.slots), tuple(self.constants), scratch)


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
