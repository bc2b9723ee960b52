"""Prints kernels in Triton's language: a block of neurons per program, time inside.

The text is a Python module with one function ``snn_kernel``, to be imported from a file. It takes
the arrays of the slots in order, the constants as a float64 tensor on the device, T, N, and for
each slot the numbers that :func:`sizes` names. Constants of compilation are WIDE (N and all time
strides are multiples of 16, so that loads are wide), BLOCK (neurons per program) and STAGES (above
1, rows of that many steps are under way to shared memory at once). :func:`arguments` says all of
them; it is launched as::

    given, constants = arguments(source, numbers, T, N, arrays)
    snn_kernel[(cdiv(N, BLOCK),)](*given, **constants, **OPTIONS)

Another T, N or constant needs no other binary; a ``gfinal`` that is None does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from snncore.kernels.capture import Captured
from snncore.kernels.emit import passes
from snncore.kernels.emit.passes import Pass, Variant
from snncore.kernels.emit.slots import BEGINS, PER_NEURON, Slot, Source
from snncore.kernels.emit.triton_body import Body

BLOCK = 256
STAGES = 1
# No contraction of products and sums, and denormals kept by the library's functions.
OPTIONS = {"num_warps": 4, "enable_fp_fusion": False, "enable_reflect_ftz": False}
_NO_AGAIN = (
    "a Triton kernel has no arrays of its own to run the forward again in: print the variant with "
    "recompute=False and marks=False, whose forward stores what the backward reads"
)


def sizes(slot: Slot) -> tuple[str, ...]:
    """The numbers that a kernel takes for an array, of those that a layout gives.

    Example:
        >>> sizes(Slot("x", 0))
        ('x0_a',)
    """
    if slot.role == "param":
        return f"{slot.name}_a", f"{slot.name}_b"
    return () if slot.role in PER_NEURON - BEGINS else (f"{slot.name}_a",)


def arguments(
    source: Source,
    numbers: Any,
    steps: int,
    count: int,
    arrays: Sequence[tuple[Any, int, int]],
) -> tuple[list[Any], dict[str, int | bool]]:
    """What a launch hands over: in order, and the constants of compilation by name.

    Args:
        source: printed by this module.
        numbers: the source's constants as a float64 tensor on the device, of one element at least.
        steps, count: time steps, and neurons of one step.
        arrays: for each slot of the source its tensor (None for an absent ``gfinal``) and two
            numbers, as :data:`snncore.kernels.layout.Laid` has them.
    """
    taken: list[int] = []
    strides = [count]
    for slot, (_, first, second) in zip(source.slots, arrays, strict=True):
        names = sizes(slot)
        taken += (first, second)[: len(names)]
        if slot.role not in PER_NEURON and len(names) == 1:
            strides.append(first)
    wide = all(stride % 16 == 0 for stride in strides)
    given = [*(array for array, _, _ in arrays), numbers, steps, count, *taken]
    return given, {"WIDE": wide, "BLOCK": BLOCK, "STAGES": STAGES}


def forward(captured: Captured, variant: Variant) -> Source:
    """The kernel that runs all time steps forward.

    Raises: ValueError for the variants that recompute.
    """
    return _printed(passes.forward(captured, variant), variant, "t = i")


def backward(captured: Captured, variant: Variant) -> Source:
    """The kernel that runs all time steps backward.

    Raises: ValueError for the variants that recompute.
    """
    return _printed(passes.backward(captured, variant), variant, "t = T - 1 - i")


def _printed(run: Pass, variant: Variant, clock: str) -> Source:
    if variant.recompute or variant.marks:
        raise ValueError(_NO_AGAIN)
    body = Body("tl.float64" if variant.double else "tl.float32", {})
    before: list[str] = []
    for slot, node in run.params:
        name = f"p{slot.place}"
        if variant.scalars[slot.place]:
            before.append(f"{name} = {body.filled(f'tl.load({slot.name})', node.kind)}")
        else:
            found = f"tl.load({slot.name} + n // {slot.name}_b % {slot.name}_a, live, 1)"
            before.append(f"{name} = {body.loaded(found, slot.kind, node.kind)}")
        body.names[node.index] = name
    for slot, node in run.reads:
        body.lines.append(f"{slot.name}_t = {body.loaded(_row(slot), slot.kind, node.kind)}")
        body.names[node.index] = f"{slot.name}_t"
    for i, node in enumerate(run.carried):
        extra = run.added[i] if run.added else None
        more = "" if extra is None else f" + {body.loaded(_row(extra), extra.kind)}"
        body.lines.append(f"old{i} = c{i}{more}")
        if node is not None:
            body.names[node.index] = f"old{i}"
    for i, slot in enumerate(run.begins):
        found = f"tl.load({slot.name} + tl.where({slot.name}_a > 1, n, 0), live, 0)"
        before += [
            f"c{i} = {body.real(None)}",
            f"if {slot.name} is not None:",
            f"    c{i} = {body.loaded(found, slot.kind)}",
        ]
    before += [f"r{slot.place} = {body.real(None)}" for slot, _ in run.sums]
    body.add(run.nodes)
    loop = [clock, *body.lines]
    loop += [
        f"tl.store({slot.name} + t * {slot.name}_a + n, "
        f"{body[node] if slot.kind == 'b' else body.real(node)}, live)"
        for slot, node in run.writes
    ]
    loop += [f"r{slot.place} = r{slot.place} + {body.real(node)}" for slot, node in run.sums]
    loop += _together((f"c{i}", body.real(node)) for i, node in enumerate(run.nexts))
    last = [(slot, f"c{i}") for i, slot in enumerate(run.ends)]
    last += [(slot, f"r{slot.place}") for slot, _ in run.sums]
    return _source(run.slots, body, before, loop, last)


def _source(
    slots: Sequence[Slot],
    body: Body,
    before: Sequence[str],
    loop: Sequence[str],
    last: Sequence[tuple[Slot, str]],
) -> Source:
    """The whole text; ``last`` is written after the last step."""
    numbers = ["T", "N", *(name for slot in slots for name in sizes(slot))]
    sequences = [slot for slot in slots if slot.role not in PER_NEURON and slot.role != "param"]
    strides = [f"{slot.name}_a" for slot in sequences]
    text = [
        "import triton",
        "import triton.language as tl",
        "",
        "from snncore.kernels.emit import triton_math as math",
        "",
        "",
        f"@triton.jit(do_not_specialize={numbers})",
        "def snn_kernel(",
        *(f"    {slot.name}," for slot in slots),
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
        *(f"    {line}" for line in (*body.constant_lines(), *before)),
        "    for i in tl.range(0, T, num_stages=STAGES):",
        *(f"        {line}" for line in loop),
        *(f"    tl.store({slot.name} + n, {name}, live)" for slot, name in last),
    ]
    return Source("\n".join(text) + "\n", tuple(slots), tuple(body.constants))


def _row(slot: Slot) -> str:
    return f"tl.load({slot.name} + t * {slot.name}_a + n, live, 0)"


def _together(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """One assignment: a new carried value may be another's old one."""
    listed = list(pairs)
    names, values = ([pair[side] for pair in listed] for side in (0, 1))
    return [f"{', '.join(names)} = {', '.join(values)}"] if listed else []
