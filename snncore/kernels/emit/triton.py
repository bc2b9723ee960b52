"""Prints kernels in Triton's language: a block of neurons per program, time inside.

The text is a Python module with one function ``snn_kernel``, to be imported from a file. It takes
the arrays of the slots in order, the constants as a float64 tensor on the device, T, N, and for
each slot the numbers that :func:`sizes` names. Constants of compilation are WIDE (N and all time
strides are multiples of 16, so that loads are wide), BLOCK (neurons per program) and STAGES (above
1, rows of that many steps are under way to shared memory at once). It is launched as::

    snn_kernel[(cdiv(N, BLOCK),)](
        *arrays, numbers, T, N, *sizes, WIDE=wide, BLOCK=BLOCK, STAGES=STAGES, **OPTIONS
    )

Another T, N or constant needs no other binary; a ``gfinal`` that is None does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from snncore.kernels.capture import Captured
from snncore.kernels.emit.cpp import Variant
from snncore.kernels.emit.slots import Role, Slot, Source
from snncore.kernels.emit.triton_body import Body
from snncore.kernels.ir import Node, inputs, needed

BLOCK = 256
STAGES = 1
# No contraction of products and sums, and denormals kept by the library's functions.
OPTIONS = {"num_warps": 4, "enable_fp_fusion": False, "enable_reflect_ftz": False}
_PER_NEURON = ("start", "final", "gfinal", "gstart", "sum")


class _Printer:
    def __init__(self, variant: Variant) -> None:
        if variant.recompute:
            raise ValueError(
                "a Triton kernel keeps nothing of a forward to run it again: print the variant "
                "with recompute=False, whose forward stores what the backward reads"
            )
        self.variant = variant
        self.body = Body("tl.float64" if variant.double else "tl.float32", {})
        self.slots: list[Slot] = []
        self.before: list[str] = []

    def slot(self, role: Role, place: int, node: Node | None = None) -> Slot:
        slot = Slot(role, place, "f" if node is None else node.kind)
        self.slots.append(slot)
        return slot

    def read(self, role: Role, node: Node, place: int) -> None:
        """Loads a step's row as the value of ``node``."""
        slot = self.slot(role, place, node)
        self.body.lines.append(f"{slot.name}_t = {self.row(slot)}")
        self.body.names[node.index] = f"{slot.name}_t"

    def row(self, slot: Slot) -> str:
        found = f"tl.load({slot.name} + t * {slot.name}_a + n, live, 0)"
        return f"{found} != 0" if slot.kind == "b" else f"{found}.to({self.body.real})"

    def write(self, slot: Slot, value: str) -> str:
        return f"tl.store({slot.name} + t * {slot.name}_a + n, {value}, live)"

    def begin(self, slot: Slot, name: str) -> None:
        """A value per neuron, before the first step."""
        self.before.append(f"{name} = tl.load({slot.name} + n, live, 0).to({self.body.real})")

    def params(self, nodes: Sequence[Node]) -> None:
        for node in inputs(nodes, "param"):
            slot, name = self.slot("param", node.place), f"p{node.place}"
            if self.variant.scalars[node.place]:
                value = f"tl.full((BLOCK,), tl.load({slot.name}), {self.body.real})"
            else:
                place = f"n // {slot.name}_b % {slot.name}_a"
                value = f"tl.load({slot.name} + {place}, live, 1).to({self.body.real})"
            self.before.append(f"{name} = {value}")
            self.body.names[node.index] = name

    def source(self, loop: Sequence[str], last: Sequence[tuple[Slot, str]]) -> Source:
        """The whole text; ``last`` is written after the last step."""
        numbers = ["T", "N", *(name for slot in self.slots for name in sizes(slot))]
        strides = [f"{slot.name}_a" for slot in self.slots if len(sizes(slot)) == 1]
        text = [
            "import triton",
            "import triton.language as tl",
            "",
            "from snncore.kernels.emit import triton_math as math",
            "",
            "",
            f"@triton.jit(do_not_specialize={numbers})",
            "def snn_kernel(",
            *(f"    {slot.name}," for slot in self.slots),
            "    numbers,",
            *(f"    {number}: tl.int64," for number in numbers),
            "    WIDE: tl.constexpr,",
            "    BLOCK: tl.constexpr,",
            "    STAGES: tl.constexpr,",
            "):",
            "    if WIDE:",
            # A hint on an argument is dropped; a product tells the compiler.
            *(f"        {number} = {number} // 16 * 16" for number in ("N", *strides)),
            "    n = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)",
            "    live = n < N",
            *(f"    {line}" for line in (*self.body.constant_lines(), *self.before)),
            "    for i in tl.range(0, T, num_stages=STAGES):",
            *(f"        {line}" for line in loop),
            *(f"    tl.store({slot.name} + n, {name}, live)" for slot, name in last),
        ]
        return Source("\n".join(text) + "\n", tuple(self.slots), tuple(self.body.constants))


def sizes(slot: Slot) -> tuple[str, ...]:
    """The numbers that a kernel takes for an array.

    A time stride for a sequence; channels and neurons per channel for a parameter's value.

    Example:
        >>> sizes(Slot("x", 0))
        ('x0_a',)
    """
    if slot.role == "param":
        return f"{slot.name}_a", f"{slot.name}_b"
    return () if slot.role in _PER_NEURON else (f"{slot.name}_a",)


def forward(captured: Captured, variant: Variant) -> Source:
    """The kernel that runs all time steps forward.

    Raises: ValueError for the recompute variant.
    """
    printer = _Printer(variant)
    body, states = printer.body, captured.states
    outputs = len(captured.values) - states
    nodes = needed([*captured.values, *variant.kept])
    printer.params(nodes)
    for node in inputs(nodes, "x"):
        printer.read("x", node, node.place)
    for node in inputs(nodes, "state"):
        body.names[node.index] = f"s{node.place}"
    body.add(nodes)
    for i in range(states):
        printer.begin(printer.slot("start", i), f"s{i}")
    last = [(printer.slot("final", i), f"s{i}") for i in range(states)]
    stores = [
        *((printer.slot("out", i), captured.values[i]) for i in range(outputs)),
        *((printer.slot("trace", i), captured.values[outputs + i]) for i in variant.traces),
        *((printer.slot("save", i, node), node) for i, node in enumerate(variant.kept)),
    ]
    loop = [*body.lines]
    loop += [
        printer.write(slot, body.names[node.index] if slot.kind == "b" else body.value(node))
        for slot, node in stores
    ]
    loop += _together((f"s{i}", body.value(captured.values[outputs + i])) for i in range(states))
    return printer.source(["t = i", *loop], last)


def backward(captured: Captured, variant: Variant) -> Source:
    """The kernel that runs all time steps backward.

    Raises: ValueError for the recompute variant.
    """
    printer = _Printer(variant)
    body, states = printer.body, captured.states
    count = len(captured.grads) - states
    wanted = [
        (i, grad)
        for i, grad in enumerate(captured.grads[:count])
        if grad is not None and variant.gx[i]
    ]
    carries = captured.grads[count:]
    roots = [grad for _, grad in wanted] + [grad for grad in carries if grad is not None]
    nodes = needed([*roots, *captured.sums], variant.saves)
    printer.params(nodes)
    again = {node.index: node for node in (*nodes, *variant.saves)}
    for node in inputs(again.values(), "x"):
        printer.read("x", node, node.place)
    for node in inputs(nodes, "gout"):
        printer.read("gout", node, node.place)
    for i, node in enumerate(variant.kept):
        printer.read("save", node, i)
    for i in range(states):
        more = f" + {printer.row(printer.slot('gtrace', i))}" if i in variant.traces else ""
        body.lines.append(f"gs{i} = c{i}{more}")
    for node in inputs(nodes, "gstate"):
        body.names[node.index] = f"gs{node.place}"
    body.add(nodes)
    for i in range(states):
        end = printer.slot("gfinal", i)
        printer.before += [f"c{i} = {body.value(None)}", f"if {end.name} is not None:"]
        printer.before.append(f"    c{i} = tl.load({end.name} + n, live, 0).to({body.real})")
    printer.before += [f"r{i} = {body.value(None)}" for i in range(len(captured.sums))]
    last = [(printer.slot("gstart", i), f"c{i}") for i in range(states)]
    last += [(printer.slot("sum", i), f"r{i}") for i in range(len(captured.sums))]
    loop = [*body.lines]
    loop += [printer.write(printer.slot("gx", i), body.value(grad)) for i, grad in wanted]
    loop += [f"r{i} = r{i} + {body.value(node)}" for i, node in enumerate(captured.sums)]
    loop += _together((f"c{i}", body.value(grad)) for i, grad in enumerate(carries))
    return printer.source(["t = T - 1 - i", *loop], last)


def _together(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """One assignment: a new state may be another's old one."""
    listed = list(pairs)
    names, values = ([pair[side] for pair in listed] for side in (0, 1))
    return [f"{', '.join(names)} = {', '.join(values)}"] if listed else []
