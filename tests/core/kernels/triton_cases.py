"""Neurons that Triton kernels are printed for, and their run in Triton's interpreter.

Run as a script by ``test_triton.py`` with ``TRITON_INTERPRET=1`` in the environment: Triton picks
its interpreter when it is imported. It reads a list of cases from a folder and leaves there what
eager autograd and the kernels gave.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from snncore.kernels.capture import capture
from snncore.kernels.emit import triton as printer
from snncore.kernels.emit.passes import Variant
from snncore.kernels.emit.slots import PER_NEURON
from snncore.kernels.ir import ARITHMETIC, COMPARE, LOGIC, UNARY, Program
from snncore.kernels.layout import Layout
from snncore.kernels.saving import saved_values
from snncore.kernels.tensors import tensors_of
from snncore.neuron import Neuron


class Leaky(Neuron):
    def __init__(self, tau=2.0, **options):
        super().__init__(**options)
        self.set_numeric("tau", tau)

    def charge(self, x, v):
        return v + (x - v) / self.tau


class Learnt(Neuron):
    """A prologue and an epilogue; a scalar, and a value per channel."""

    def __init__(self, **options):
        super().__init__(**options)
        self.w = nn.Parameter(torch.tensor([[0.2], [-0.3], [0.1]]))
        self.bias = nn.Parameter(torch.tensor(0.05))

    def charge(self, x, v):
        return v + (x - v) * self.w.sigmoid() + self.bias


class Adaptive(Neuron):
    """Two states; a parameter of the size of a whole sample."""

    states = {"v": 0.0, "b": 0.1}

    def __init__(self, **options):
        super().__init__(**options)
        self.beta = nn.Parameter(torch.linspace(0.1, 0.9, 6).reshape(3, 2))

    def step(self, x, v, b):
        h = 0.8 * v + x
        s = self.surrogate(h - self.v_threshold - self.beta * b)
        return s, self.reset(h, s), 0.9 * b + 0.1 * s.detach()


class Delayed(Neuron):
    """Its second state is the first one a step ago; it keeps a flag; a parameter has no channel."""

    states = {"v": 0.0, "old": 0.2}

    def __init__(self, **options):
        super().__init__(**options)
        self.register_buffer("gain", torch.linspace(0.5, 1.5, 8).reshape(4, 1, 2))

    def step(self, x, v, old):
        u = 0.5 * v + 0.3 * old + x * self.gain
        h = torch.where(u > 0.2, u, 0.1 * u) + 0.5 * x
        s = self.fire(h)
        return s, self.reset(h, s), v


class Mixed(Neuron):
    """Two inputs and outputs, functions of the library."""

    inputs = 2
    outputs = 2

    def step(self, x, y, v):
        h = torch.maximum(0.5 * v + x, y.clamp(-1.0, 0.5)) + torch.where(y > 0, x * y, -x.abs())
        h = h + torch.tanh(y) * torch.exp(-x * x) + torch.sqrt(y * y + 1.0) + y**3
        s = self.fire(h)
        return s, torch.sigmoid(h), self.reset(h, s)


_spec = importlib.util.spec_from_file_location(
    "integer_neurons", Path(__file__).with_name("integer_neurons.py")
)
integers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(integers)

MODELS = {
    "leaky": lambda **o: Leaky(tau=3.0, **o),
    "channel": lambda **o: Leaky(tau=[[1.5], [2.0], [3.0]], **o),
    "learnt": Learnt,
    "two-states": Adaptive,
    "delayed": Delayed,
    "mixed": Mixed,
    "integers": integers.Whole,
}
SURROGATES = ("atan", "sigmoid", "triangle", "erf")
COLUMNS = {
    "model": tuple(MODELS),
    "v_reset": (0.0, 0.1, None),
    "detach_reset": (False, True),
    "surrogate": SURROGATES,
    "precision": ("single", "double"),
}
ROWS = itertools.product(*COLUMNS.values())
MATRIX = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
# Every pair of values of two columns occurs.
SAMPLE = [case for i, case in enumerate(MATRIX) if (9 * i + i // 95) % 11 == 0]
PLAIN = dict(zip(COLUMNS, ("two-states", 0.0, False, "atan", "single"), strict=True))
EXTRA = {
    "no step": PLAIN | {"steps": 0},
    "one step": PLAIN | {"steps": 1},
    "one neuron": PLAIN | {"shape": [1, 1, 1], "model": "leaky"},
    "aligned rows": PLAIN | {"shape": [8, 3, 2]},
    "no gradient of the last states": PLAIN | {"finals": False},
    "every other row": PLAIN | {"strided": True},
    "inference": PLAIN | {"model": "mixed", "inference": True},
}
SPECIAL = {name: PLAIN | {"surrogate": name, "special": True} for name in SURROGATES}
SPECIAL_VALUES = (float("nan"), float("inf"), -float("inf"), 1e38, -0.0, 1e-45)
BINARY = {"max": torch.maximum, "min": torch.minimum}
BINARY |= {name: getattr(torch, name) for name in (ARITHMETIC | COMPARE) - set(BINARY)}
LOGICAL = {name: getattr(torch, f"logical_{name}") for name in LOGIC}
TYPES = {"single": torch.float32, "double": torch.float64}


def title(case):
    return "-".join(str(case[column]) for column in COLUMNS)


def prepare(case):
    """The neuron of a case, captured, and the variant that trains it."""
    options = {name: case[name] for name in ("v_reset", "detach_reset", "surrogate")}
    dtype, shape = TYPES[case["precision"]], torch.Size(case.get("shape", (4, 3, 2)))
    net = MODELS[case["model"]](**options).to(dtype)
    captured = capture(net, shape, dtype)
    with torch.no_grad():
        params = captured.prologue(*tensors_of(net).values())
    variant = Variant(
        saves=saved_values(captured),
        traces=(0,),
        gx=(True,) * net.inputs,
        scalars=tuple(value.numel() == 1 for value in params),
        double=dtype == torch.float64,
    )
    return net, captured, variant, params


def functions(precision):
    """A step of no neuron: every operation of two inputs."""
    program = Program()
    x, y = program.input("x", 0), program.input("x", 1)
    up, right = program.op("gt", x, program.const(0.0)), program.op("gt", y, program.const(0.5))
    nodes = {name: program.op(name, x) for name in sorted(UNARY)}
    nodes |= {name: program.op(name, x, y) for name in sorted(BINARY)}
    nodes |= {name: program.op(name, up, right) for name in sorted(set(LOGIC) - {"not"})}
    nodes["not"] = program.op("not", up)
    nodes["where"] = program.op("where", up, x, y)
    nodes["where flags"] = program.op("where", up, right, nodes["not"])
    nodes["constants"] = program.op("add", program.const(0.1), program.const(-1.0))
    captured = capture(Leaky(), torch.Size((1,)), torch.float32)
    captured = replace(captured, program=program, values=tuple(nodes.values()), grads=(), states=0)
    return tuple(nodes), captured, Variant(double=precision == "double")


def load(text, folder):
    """The kernel of a text, which Triton reads from a file."""
    path = Path(folder) / f"kernel_{len(os.listdir(folder))}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.snn_kernel


def launch(source, arrays, steps, shape, folder, block=16):
    """Runs a kernel in the interpreter."""
    laid = [Layout(shape).lay(slot, arrays[slot.role, slot.place]) for slot in source.slots]
    numbers = torch.tensor([*source.constants, 0.0], dtype=torch.float64)
    count = shape.numel()
    given, constants = printer.arguments(source, numbers, steps, count, laid)
    load(source.text, folder)[(-(-count // block),)](*given, **constants | {"BLOCK": block})


def fresh(source, known, steps, shape, dtype):
    """All arrays of a kernel; those that it must fill are poisoned."""
    arrays = dict(known)
    for slot in source.slots:
        if (slot.role, slot.place) not in arrays:
            size = shape if slot.role in PER_NEURON else (steps, *shape)
            kind, value = (torch.uint8, 255) if slot.kind == "b" else (dtype, torch.nan)
            arrays[slot.role, slot.place] = torch.full(size, value, dtype=kind)
    return arrays


def unrolled(net, inputs, starts):
    """The step in a loop: output sequences, sequence of the first state, last states."""
    rows, states = [], starts
    for x in zip(*(x.unbind(0) for x in inputs), strict=True):
        result = net.step(*x, *states)
        states = result[net.outputs :]
        rows.append((*result[: net.outputs], states[0]))
    return [*(torch.stack(column) for column in zip(*rows, strict=True)), *states]


def train(case, folder):
    """(expected, got) for the values of a forward and for the gradients of a backward."""
    torch.manual_seed(0)
    net, captured, variant, params = prepare(case)
    steps, shape = case.get("steps", 4), torch.Size(case.get("shape", (4, 3, 2)))
    dtype = TYPES[case["precision"]]
    inputs = [torch.randn(steps, 2, *shape, dtype=dtype) + 0.4 for _ in range(net.inputs)]
    inputs = [x[:, 1] if case.get("strided") else x[:, 1].contiguous() for x in inputs]
    if case.get("special"):
        inputs[0].flatten()[: len(SPECIAL_VALUES)] = torch.tensor(SPECIAL_VALUES, dtype=dtype)
    starts = [torch.randn(shape, dtype=dtype) * 0.3 for _ in net.states]
    named = [("x", inputs), ("start", starts), ("param", params)]
    known = {(role, i): array for role, arrays in named for i, array in enumerate(arrays)}
    leaves = [*(tensor.detach().requires_grad_() for tensor in (*inputs, *starts))]
    leaves += [parameter for parameter in net.parameters() if parameter.requires_grad]
    expected = unrolled(net, leaves[: len(inputs)], leaves[len(inputs) :][: len(starts)])

    results = [*(("out", i) for i in range(net.outputs)), ("trace", 0)] if steps else []
    results += [("final", i) for i in range(len(starts))]
    source = printer.forward(captured, variant)
    arrays = fresh(source, known, steps, shape, dtype)
    launch(source, arrays, steps, shape, folder)
    got = [arrays[result] for result in results]
    if case.get("inference"):
        source = printer.forward(captured, replace(variant, saves=()))
        assert not any(slot.role == "save" for slot in source.slots)
        plain = fresh(source, known, steps, shape, dtype)
        launch(source, plain, steps, shape, folder)
        assert all(torch.equal(plain[result], a) for result, a in zip(results, got, strict=True))

    # Of one sign, so that sums over neurons do not cancel.
    incoming = [torch.rand_like(value) + 0.1 for value in expected]
    pairs = list(zip(expected, incoming, strict=True))
    for (role, place), grad in zip(results, incoming, strict=True):
        arrays[f"g{role}", place] = grad
    if not case.get("finals", True):
        pairs = pairs[: -len(starts)]
        arrays |= {("gfinal", i): None for i in range(len(starts))}
    # What a step detaches has no gradient; the kernel must leave what comes in for it.
    pairs = [(value, grad) for value, grad in pairs if value.requires_grad]
    grads = torch.autograd.grad(
        [value for value, _ in pairs], leaves, [grad for _, grad in pairs], allow_unused=True
    )
    source = printer.backward(captured, variant)
    arrays = fresh(source, arrays, steps, shape, dtype)
    launch(source, arrays, steps, shape, folder)
    found = [arrays["gx", i] for i in range(net.inputs)]
    found += [arrays["gstart", i] for i in range(len(starts))]
    if captured.epilogue is not None:
        sums = [arrays["sum", i] for i in range(len(captured.sums))]
        with torch.no_grad():
            found += captured.epilogue(*tensors_of(net).values(), *sums)
    return {
        "values": [(a.detach(), b) for a, b in zip(expected, got, strict=True)],
        "grads": list(zip(grads, found, strict=True)),
    }


def evaluate(precision, folder):
    """(x, y, result by name) of every operation."""
    torch.manual_seed(0)
    names, captured, variant = functions(precision)
    special = torch.tensor(
        [*SPECIAL_VALUES, 0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 1e4], dtype=TYPES[precision]
    )
    x = torch.cat([special, torch.randn(87, dtype=special.dtype) * 3]).repeat_interleave(100)
    y = x.reshape(100, 100).T.flatten()
    source = printer.forward(captured, variant)
    arrays = fresh(source, {("x", 0): x[None], ("x", 1): y[None]}, 1, x.shape, x.dtype)
    launch(source, arrays, 1, x.shape, folder, block=1024)
    return x, y, {name: arrays["out", i][0] for i, name in enumerate(names)}


def half(folder):
    """(expected, got) when input and trace are float16 and the arithmetic is not."""
    torch.manual_seed(0)
    net, captured, variant, params = prepare(PLAIN)
    shape = torch.Size((4, 3, 2))
    x, starts = (torch.randn(5, *shape) + 0.4).half(), [torch.zeros(shape) for _ in range(2)]
    known = {("x", 0): x, ("trace", 0): torch.zeros(5, *shape, dtype=torch.float16)}
    known |= {("start", i): start for i, start in enumerate(starts)} | {("param", 0): params[0]}
    source = printer.forward(captured, variant)
    arrays = fresh(source, known, 5, shape, torch.float32)
    launch(source, arrays, 5, shape, folder)
    with torch.no_grad():
        return unrolled(net, [x.float()], starts)[1].half(), arrays["trace", 0]


def main(work):
    cases = json.loads((work / "cases.json").read_text())
    texts = work / "texts"
    results = {name: train(case, texts) for name, case in cases.items()}
    results["functions"] = {precision: evaluate(precision, texts) for precision in TYPES}
    results["half"] = half(texts)
    torch.save(results, work / "results.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
