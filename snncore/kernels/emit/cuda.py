"""Prints kernels as CUDA C for NVRTC and nvcc.

A thread takes one neuron; its states and gradients live in registers; time runs inside. The
sequences of a few steps are loaded at once before these steps are computed: a division is a
branch, over which the compiler would move no load, and one load at a time leaves memory idle.

Every array and constant is an argument of its own, see :func:`arguments`. A table of pointers on
the device would cost a copy per launch, and only arguments can be ``__restrict__``.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

import numpy as np

from snncore.kernels.capture import Captured
from snncore.kernels.emit.c_body import Body
from snncore.kernels.emit.cpp import Variant
from snncore.kernels.emit.slots import Role, Slot, Source
from snncore.kernels.ir import Node, inputs, needed

# Contraction would make the GPU's membrane differ from that of every other backend.
FLAGS = ("--std=c++17", "--fmad=false")
BLOCK = 256
AHEAD = 4


class _Thread:
    """What one thread declares, and what it does at each step."""

    def __init__(self, captured: Captured, variant: Variant) -> None:
        if variant.recompute:
            raise ValueError(
                "a CUDA kernel has no room to recompute all steps of the forward in registers; "
                "ask for Variant(recompute=False) and keep the saved values in memory"
            )
        self.states, self.variant = captured.states, variant
        self.slots: list[Slot] = []
        self.written: set[Slot] = set()
        self.constants: list[float] = []
        self.names: dict[int, str] = {}
        self.before: list[str] = []
        self.ahead: list[str] = []
        self.loads: list[str] = []
        self.step: list[str] = []
        self.after: list[str] = []

    def reads(self, role: Role, place: int, kind: str = "f") -> Slot:
        """An array that the kernel reads."""
        slot = Slot(role, place, "b" if kind == "b" else "f")
        self.slots.append(slot)
        return slot

    def writes(self, role: Role, place: int, kind: str = "f") -> Slot:
        """An array that the kernel writes."""
        slot = self.reads(role, place, kind)
        self.written.add(slot)
        return slot

    def load(self, slot: Slot) -> str:
        """The value of a sequence at this step."""
        name = f"{slot.name}_t"
        self.ahead.append(f"{_real(slot)} {name}[AHEAD];")
        self.loads.append(f"{name}[j] = {_at(slot)};")
        return f"({name}[j] != 0)" if slot.kind == "b" else f"{name}[j]"

    def params(self, nodes: Sequence[Node]) -> None:
        """Values that do not depend on time, read once."""
        for node in inputs(nodes, "param"):
            name = self.reads("param", node.place).name
            where = "0" if self.variant.scalars[node.place] else f"n / {name}_b % {name}_a"
            self.before.append(f"const S p{node.place} = {name}[{where}];")
            self.names[node.index] = f"p{node.place}"

    def body(self, nodes: Sequence[Node]) -> Body:
        """The statements of one step."""
        body = Body(self.names, self.constants)
        body.add(nodes)
        self.step += body.lines
        return body

    def text(self, clock: str) -> Source:
        """The kernel, with ``clock`` as the time of its i-th step."""
        takes = ["const long long T", "const long long N"]
        for slot in self.slots:
            const = "" if slot in self.written else "const "
            takes.append(
                f"{const}{_real(slot)}* __restrict__ const {slot.name}, "
                f"const long long {slot.name}_a, const long long {slot.name}_b"
            )
        takes += [f"const S k{place}" for place in range(len(self.constants))]
        lines = [
            f"typedef {'double' if self.variant.double else 'float'} S;",
            f"#define AHEAD {AHEAD}",
            resources.files("snncore.kernels.emit").joinpath("cuda_math.h").read_text(),
            'extern "C" __global__ void snn_kernel(',
            ",\n".join(f"    {one}" for one in takes) + ") {",
            "  const long long n = (long long)blockIdx.x * blockDim.x + threadIdx.x;",
            "  if (n >= N) return;",
            *(f"  {line}" for line in self.before),
            "  for (long long i0 = 0; i0 < T; i0 += AHEAD) {",
            *(f"    {line}" for line in self.ahead),
            *_steps(clock, self.loads),
            *_steps(clock, self.step),
            "  }",
            *(f"  {line}" for line in self.after),
            "}",
        ]
        return Source("\n".join(lines) + "\n", tuple(self.slots), tuple(self.constants))


def forward(captured: Captured, variant: Variant) -> Source:
    """The kernel that runs all time steps forward.

    Raises: ValueError for a variant that recomputes.
    """
    thread = _Thread(captured, variant)
    nodes = needed([*captured.values, *variant.kept])
    thread.params(nodes)
    for node in inputs(nodes, "x"):
        thread.names[node.index] = thread.load(thread.reads("x", node.place))
    for i in range(thread.states):
        thread.before.append(f"S s{i} = {thread.reads('start', i).name}[n];")
        thread.after.append(f"{thread.writes('final', i).name}[n] = s{i};")
    for node in inputs(nodes, "state"):
        # A copy: another state may take this value after s has changed.
        thread.step.append(f"const S old{node.place} = s{node.place};")
        thread.names[node.index] = f"old{node.place}"
    body = thread.body(nodes)
    outputs = len(captured.values) - thread.states
    stores = [
        *((thread.writes("out", i), captured.values[i]) for i in range(outputs)),
        *((thread.writes("trace", i), captured.values[outputs + i]) for i in variant.traces),
        *((thread.writes("save", i, node.kind), node) for i, node in enumerate(variant.kept)),
    ]
    thread.step += [f"{_at(slot)} = {body[node]};" for slot, node in stores]
    thread.step += [f"s{i} = {body[node]};" for i, node in enumerate(captured.values[outputs:])]
    return thread.text("i")


def backward(captured: Captured, variant: Variant) -> Source:
    """The kernel that runs all time steps backward, from what the forward has kept.

    Raises: ValueError for a variant that recomputes.
    """
    thread = _Thread(captured, variant)
    count = len(captured.grads) - thread.states
    carries = captured.grads[count:]
    wanted = [
        (i, grad)
        for i, grad in enumerate(captured.grads[:count])
        if grad is not None and variant.gx[i]
    ]
    roots = [*(grad for _, grad in wanted), *(g for g in carries if g is not None)]
    nodes = needed([*roots, *captured.sums], variant.saves)
    thread.params(nodes)
    given = {node.index: node for node in (*nodes, *variant.saves)}
    for node in inputs(given.values(), "x"):
        thread.names[node.index] = thread.load(thread.reads("x", node.place))
    for node in inputs(nodes, "gout"):
        thread.names[node.index] = thread.load(thread.reads("gout", node.place))
    for i, node in enumerate(variant.kept):
        thread.names[node.index] = thread.load(thread.reads("save", i, node.kind))
    for i in range(thread.states):
        end = thread.reads("gfinal", i).name
        thread.before.append(f"S c{i} = {end} ? {end}[n] : (S)0;")
        trace = f" + {thread.load(thread.reads('gtrace', i))}" if i in variant.traces else ""
        thread.step.append(f"const S gs{i} = c{i}{trace};")
        thread.after.append(f"{thread.writes('gstart', i).name}[n] = c{i};")
    for node in inputs(nodes, "gstate"):
        thread.names[node.index] = f"gs{node.place}"
    body = thread.body(nodes)
    thread.step += [f"{_at(thread.writes('gx', i))} = {body[grad]};" for i, grad in wanted]
    for i, node in enumerate(captured.sums):
        thread.before.append(f"S r{i} = (S)0;")
        thread.step.append(f"r{i} += {body[node]};")
        thread.after.append(f"{thread.writes('sum', i).name}[n] = r{i};")
    thread.step += [
        f"c{i} = {'(S)0' if grad is None else body[grad]};" for i, grad in enumerate(carries)
    ]
    return thread.text("T - 1 - i")


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
            two numbers: distance of time steps in elements and 0 for a sequence, channels and
            neurons per channel for a parameter, zeros for the rest.
        double: as in the variant.
    """
    real = np.float64 if double else np.float32
    flat = [number for address, a, b in arrays for number in (address or 0, a, b)]
    return (
        *(np.int64(number) for number in (steps, count, *flat)),
        *(real(number) for number in source.constants),
    )


def _real(slot: Slot) -> str:
    return "unsigned char" if slot.kind == "b" else "S"


def _steps(clock: str, lines: Sequence[str]) -> list[str]:
    return [
        "    #pragma unroll",
        "    for (int j = 0; j < AHEAD; ++j) {",
        "      const long long i = i0 + j;",
        "      if (i < T) {",
        f"        const long long t = {clock};",
        *(f"        {line}" for line in lines),
        "      }",
        "    }",
    ]


def _at(slot: Slot) -> str:
    return f"{slot.name}[t * {slot.name}_a + n]"
