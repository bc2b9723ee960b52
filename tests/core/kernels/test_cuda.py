"""CUDA C on the CPU against eager autograd, and through the compilers of CUDA where they are."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.metadata
import importlib.util
import itertools
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from snncore.kernels import build
from snncore.kernels.capture import Captured, capture
from snncore.kernels.cpp import CppBackend
from snncore.kernels.emit import cuda
from snncore.kernels.emit.passes import Variant, saved_format
from snncore.kernels.emit.slots import BEGINS, PER_NEURON, dtype_of
from snncore.kernels.ir import CASTS, INTEGER, OPERATIONS, Program, needed
from snncore.kernels.saving import saved_values
from snncore.kernels.tensors import tensors_of
from snncore.neuron import Neuron

SHAPE = (4, 3, 2)
SHIM = Path(__file__).with_name("cuda_shim.h").read_text()
runs = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)
compiles = pytest.mark.skipif(
    shutil.which("nvcc") is None, reason="nvcc, the compiler of the CUDA toolkit, is not on PATH"
)


class Leaky(Neuron):
    def __init__(self, tau=2.0, **options):
        super().__init__(**options)
        self.set_numeric("tau", tau)

    def charge(self, x, v):
        return v + (x - v) / self.tau


class Learnt(Neuron):
    """The leak of a channel is a function of a parameter, the threshold one of a neuron."""

    def __init__(self, **options):
        super().__init__(v_threshold=nn.Parameter(torch.rand(4, 3, 2) + 0.5), **options)
        self.w = nn.Parameter(torch.tensor([[0.2], [-0.3], [0.1]]))

    def charge(self, x, v):
        return v + (x - v) * self.w.sigmoid()


class Delayed(Neuron):
    """Two states, one of which takes the old value of the other; one is detached."""

    states = {"v": 0.0, "b": 0.1}

    def __init__(self, **options):
        super().__init__(**options)
        self.beta = nn.Parameter(torch.rand(3, 2))

    def step(self, x, v, b):
        h = 0.8 * v + x - self.beta * b
        s = self.fire(h)
        return s, self.reset(h, s) + 0.1 * s.detach(), v


class Wide(Neuron):
    """Two inputs, two outputs, and operations that are rare in neurons."""

    inputs = 2
    outputs = 2

    def step(self, x, y, v):
        h = torch.maximum(0.5 * v + x, y.clamp(-1.0, 0.5)) + torch.where(y > 0, x * y, -x.abs())
        h = h + torch.tanh(y) * torch.exp(-x * x) + torch.sqrt(y * y + 1.0) + y**3
        s = self.fire(h)
        return s, torch.sigmoid(h), self.reset(h, s)


# A test folder is no package, so its files are loaded by their paths.
_spec = importlib.util.spec_from_file_location(
    "integer_neurons", Path(__file__).with_name("integer_neurons.py")
)
integers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(integers)
_spec = importlib.util.spec_from_file_location("joined", Path(__file__).with_name("joined.py"))
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
joined = _module.joined

MODELS = {
    "plain": lambda **o: Leaky(tau=3.0, **o),
    "channel": lambda **o: Leaky(tau=[[1.5], [2.0], [3.0]], **o),
    "learnable": lambda **o: Leaky(tau=nn.Parameter(torch.tensor(1.7)), **o),
    "per-sample": lambda **o: Leaky(tau=nn.Parameter(torch.rand(4, 1, 2) + 1.5), **o),
    "prologue": lambda **o: Learnt(**o),
    "two-states": lambda **o: Delayed(**o),
    "wide": lambda **o: Wide(**o),
    "integers": lambda **o: integers.Whole(**o),
}
# Functions of the library differ in the last bits.
ROUNDED = {"wide"}
SURROGATES = ("atan", "sigmoid", "rect", "erf")
COLUMNS = (
    list(MODELS),
    ["single", "double"],
    [(0.0, False), (0.1, True), (None, False)],
    SURROGATES,
)
MATRIX = list(itertools.product(*COLUMNS))
QUARTER = [
    case
    for places, case in zip(itertools.product(*map(range, map(len, COLUMNS))), MATRIX, strict=True)
    if sum(places) % 4 == 0
]
SAMPLE = MATRIX[::11]


def layout(value, shape):
    """A parameter's values, how many there are, and how many neurons in a row share one."""
    padded = value.reshape((1,) * (len(shape) - value.dim()) + tuple(value.shape))
    wide = [i for i, size in enumerate(padded.shape) if size != 1] or [len(shape) - 1]
    first, last = wide[0], wide[-1]
    inner = int(np.prod(shape[last + 1 :]))
    if value.numel() > 1:
        padded = padded.expand(
            *padded.shape[:first], *shape[first : last + 1], *padded.shape[last + 1 :]
        )
    flat = padded.contiguous()
    return flat, flat.numel(), inner


def launch(source, arrays, steps, count, double):
    """Runs a source through the shim; sequences may have any distance between time steps."""
    rows, alive = [], []
    for slot in source.slots:
        array = arrays[slot.role, slot.place]
        if array is None:
            rows.append((None, 0, 0))
            continue
        array, a, b = array if isinstance(array, tuple) else (array, 0, 0)
        if slot.role in BEGINS:
            a = array.numel()
        elif slot.role not in PER_NEURON | {"param"}:
            a = array.stride(0)
            b = count if slot.role == "mark" else 0
        rows.append((array.data_ptr(), a, b))
        alive.append(array)
    values = cuda.arguments(source, steps, count, rows, double=double)
    held = [np.array(value) for value in values]
    given = (ctypes.c_void_p * len(held))(*(value.ctypes.data for value in held))
    block = 7
    entry = build.load(f"{SHIM}\n{source.text}\n#undef snn_kernel\nSHIM_ENTRY(snn_kernel)\n")
    entry((ctypes.c_int64 * 2)(-(-count // block), block), given, None)
    del alive, held


def prepared(model, precision="single", v_reset=0.0, detach=False, surrogate="atan", shape=SHAPE):
    torch.manual_seed(0)
    dtype = torch.float32 if precision == "single" else torch.float64
    net = MODELS[model](v_reset=v_reset, detach_reset=detach, surrogate=surrogate).to(dtype)
    captured = capture(net, torch.Size(shape), dtype)
    params = list(tensors_of(net).values())
    with torch.no_grad():
        found = captured.prologue(*params)
        read = [value.to(dtype) if value.is_floating_point() else value for value in found]
    options = {
        "saves": saved_values(captured),
        "scalars": tuple(value.numel() == 1 for value in read),
        "double": dtype == torch.float64,
    }
    return SimpleNamespace(
        net=net, captured=captured, params=params, read=read, options=options, dtype=dtype
    )


def on_shim(case, xs, starts, gouts, gfinals, gtrace, shape, *, marks=False):
    """Outputs, last states and the trace of the first state; gradients of all that has one."""
    captured, steps, count = case.captured, xs[0].shape[0], int(np.prod(shape))
    variant = Variant(traces=(0,), gx=(True,) * len(xs), **case.options)
    there = replace(variant, saves=(), marks=True) if marks else variant
    back = replace(variant, recompute=marks)

    def rows(wanted, of=case.dtype):
        # What a kernel forgets to write shows as NaN.
        fill = float("nan") if of.is_floating_point else 255
        return [torch.full((steps, *shape), fill, dtype=of) for _ in wanted]

    def flat(wanted):
        return [torch.full(shape, float("nan"), dtype=case.dtype) for _ in wanted]

    def named(role, values):
        return {(role, i): value for i, value in enumerate(values)}

    formats = [saved_format(node, double=variant.double) for node in variant.kept]
    kept = [rows([f], dtype_of(f, case.dtype))[0] for f in formats]
    stops = [row[: -(-steps // cuda.STRETCH)] for row in rows(starts)]
    shared = {
        **named("x", [x.detach() for x in xs]),
        **named("start", [s.detach() for s in starts]),
        **named("param", [layout(value, shape) for value in case.read]),
        **named("save", kept),
        **named("mark", stops),
    }
    outs, finals, traces = rows(gouts), flat(starts), rows([0])
    arrays = {**shared, **named("out", outs), **named("final", finals), **named("trace", traces)}
    double = variant.double
    launch(cuda.forward(captured, there), arrays, steps, count, double)
    gxs, gstarts, sums = rows(xs), flat(starts), flat(captured.sums)
    arrays = {
        **shared,
        **named("gout", gouts),
        **named("gfinal", gfinals),
        **named("gtrace", [gtrace]),
        **named("gx", gxs),
        **named("gstart", gstarts),
        **named("sum", sums),
    }
    launch(cuda.backward(captured, back), arrays, steps, count, double)
    learnt = []
    if captured.epilogue is not None:
        with torch.no_grad():
            learnt = list(captured.epilogue(*case.params, *sums))
    unused = [g is None for g in captured.grads]
    grads = [None if no else g for g, no in zip([*gxs, *gstarts], unused, strict=True)]
    return [*outs, *finals, *traces], [*grads, *learnt]


def eager(net, xs, starts):
    """Output sequences, last states and the sequence of the first state."""
    states, rows = starts, []
    for given in zip(*(x.unbind(0) for x in xs), strict=True):
        found = net.step(*given, *states)
        states = found[net.outputs :]
        rows.append((*found[: net.outputs], states[0]))
    *outs, trace = (torch.stack(row) for row in zip(*rows, strict=True))
    return [*outs, *states, trace]


def compare(model, precision, reset, surrogate, *, steps=6, shape=SHAPE, marks=False):
    case = prepared(model, precision, *reset, surrogate, shape)
    net, dtype = case.net, case.dtype
    # A pitch between time steps that is not the size of a step.
    xs = [(torch.randn(steps, 2, *shape, dtype=dtype) + 0.4)[:, 0] for _ in range(net.inputs)]
    starts = [torch.randn(shape, dtype=dtype) * 0.3 for _ in net.states]
    leaves = [t.requires_grad_() for t in (*xs, *starts)]
    flat = eager(net, xs, starts)
    incoming = [torch.randn_like(t) for t in flat]
    # The last state of all has no gradient.
    states, outputs = len(starts), net.outputs
    incoming[outputs + states - 1].zero_()
    gfinals = [*incoming[outputs : outputs + states - 1], None]
    got, got_grads = on_shim(
        case, xs, starts, incoming[:outputs], gfinals, incoming[-1], shape, marks=marks
    )
    learnt = [p for p in net.parameters() if p.requires_grad]
    grads = torch.autograd.grad(flat, [*leaves, *learnt], incoming, allow_unused=True)
    return list(zip(flat, got, strict=True)), list(zip(grads, got_grads, strict=True))


def check(case):
    values, grads = compare(*case)
    tolerance = 2e-6 if case[1] == "single" else 1e-10
    for a, b in values:
        if case[0] in ROUNDED:
            assert torch.allclose(a, b, rtol=tolerance, atol=tolerance)
        else:
            assert torch.equal(a, b)
    for a, b in grads:
        if a is None or b is None:
            # Where a step detaches all that it takes of a state, a kernel may write zeros.
            assert all(grad is None or not grad.any() for grad in (a, b))
        else:
            assert a.shape == b.shape
            scale = a.abs().max().clamp_min(1e-6)
            assert ((a - b).abs().max() / scale).item() <= tolerance


@runs
@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: "-".join(map(str, case)))
def test_a_sample_of_the_matrix(case):
    check(case)


@runs
@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_quarter_of_the_matrix(model):
    for case in QUARTER:
        if case[0] == model:
            check(case)


def test_the_sample_meets_every_value():
    for column in range(4):
        assert {case[column] for case in SAMPLE} == {case[column] for case in MATRIX}


def test_a_quarter_meets_every_mixture_with_either_model_or_surrogate():
    assert len(QUARTER) == len(MATRIX) // 4
    for rest in ((1, 2, 3), (0, 1, 2)):
        found, whole = ({tuple(c[i] for i in rest) for c in cases} for cases in (QUARTER, MATRIX))
        assert found == whole


@runs
@pytest.mark.parametrize("steps", [0, 1, 4, 9])
def test_any_number_of_steps(steps):
    case = prepared("two-states")
    xs = [torch.rand(steps, *SHAPE)]
    starts = [torch.rand(SHAPE) for _ in range(2)]
    gouts, gtrace = [torch.zeros(steps, *SHAPE)], torch.zeros(steps, *SHAPE)
    ends = [torch.rand(SHAPE), torch.rand(SHAPE)]
    values, grads = on_shim(case, xs, starts, gouts, ends, gtrace, SHAPE)
    assert not any(value.isnan().any() for value in [*values, *grads])
    if not steps:
        assert all(torch.equal(a, b) for a, b in zip(values[1:3], starts, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(grads[1:3], ends, strict=True))
        assert not grads[3].any()


@runs
@pytest.mark.parametrize("shape", [(0, 3, 2), (1, 3, 2), (7, 3, 2)])
def test_empty_full_and_ragged_blocks(shape):
    values, grads = compare("two-states", "single", (None, False), "atan", shape=shape)
    assert all(torch.equal(a, b) for a, b in values)
    assert all(torch.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in grads)


@runs
@pytest.mark.parametrize("steps", [1, 8, 9, 19])
@pytest.mark.parametrize("model", MODELS)
def test_a_backward_from_marks(model, steps):
    values, grads = compare(model, "double", (0.0, False), "atan", steps=steps, marks=True)
    for a, b in (*values, *grads):
        assert (a is None) == (b is None)
        assert a is None or torch.allclose(a, b, rtol=1e-10, atol=1e-10)


def test_inference_keeps_nothing_and_unwanted_gradients_are_not_written():
    case = prepared("wide")
    options = {**case.options, "saves": ()}
    roles = {slot.role for slot in cuda.forward(case.captured, Variant(**options)).slots}
    assert roles == {"x", "start", "out", "final"}
    source = cuda.backward(case.captured, Variant(gx=(False, True), **case.options))
    assert [slot.place for slot in source.slots if slot.role == "gx"] == [1]


def test_numbers_are_arguments_so_that_sweeps_share_a_binary():
    texts, numbers = set(), set()
    for tau in (1.7, 3.1):
        captured = capture(Leaky(tau), torch.Size(SHAPE), torch.float32)
        source = cuda.forward(captured, Variant(scalars=(True,) * 4))
        texts.add(source.text)
        numbers.add(source.constants)
    assert len(texts) == 1
    assert len(numbers) == 2


def test_arguments_have_the_widths_of_the_kernel():
    source = cuda.forward(prepared("plain").captured, Variant(scalars=(True,) * 4))
    rows = [(None, 0, 0), *[(2**40, 2**35, 1)] * (len(source.slots) - 1)]
    values = cuda.arguments(source, 5, 2**33, rows, double=False)
    assert [value.item() for value in values[:5]] == [5, 2**33, 0, 0, 0]
    assert values[5].item() == 2**40
    assert {value.dtype for value in values[: 2 + 3 * len(rows)]} == {np.dtype(np.int64)}
    assert {value.dtype for value in values[2 + 3 * len(rows) :]} <= {np.dtype(np.float32)}
    assert len(values) == 2 + 3 * len(rows) + len(source.constants)
    taken = source.text[source.text.index("snn_kernel(") : source.text.index(") {\n  const i64")]
    assert taken.count(",") + 1 == len(values)


TORCH = {
    "max": torch.maximum,
    "min": torch.minimum,
    "where": lambda a, b: torch.where(a > 0, a, b),
    "not": lambda a: torch.logical_not(a > 0),
    **{
        name: lambda a, b, name=name: getattr(torch, f"logical_{name}")(a > 0, b > 0)
        for name in ("and", "or", "xor")
    },
}
POINTS = (
    -3.0,
    -1.5,
    -0.5,
    -0.0,
    1e-9,
    0.5,
    1.0,
    2.5,
    88.0,
    float("nan"),
    float("inf"),
    -float("inf"),
)


def every_operation():
    """A step without states that gives each operation's value on its inputs."""
    program = Program()
    x, y, zero = program.input("x", 0), program.input("x", 1), program.const(0.0)
    above = [program.op("gt", node, zero) for node in (x, y)]
    pairs = ("add", "sub", "mul", "div", "max", "min", "pow", "fmod")
    values = {}
    for name in sorted(OPERATIONS - INTEGER - CASTS.keys()):
        if name == "where":
            node = program.op(name, above[0], x, y)
        elif name in ("and", "or", "xor"):
            node = program.op(name, *above)
        elif name == "not":
            node = program.op(name, above[0])
        else:
            both = name in pairs or len(name) == 2
            node = program.op(name, x, y) if both else program.op(name, x)
        values[name] = program.op("float", node)
    return values, Captured(program, tuple(values.values()), (), (), None, None, (), 0)


@runs
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_operation_is_that_of_torch(dtype):
    values, captured = every_operation()
    x, y = (
        t.flatten()[None].to(dtype)
        for t in torch.meshgrid(*[torch.tensor(POINTS)] * 2, indexing="ij")
    )
    outs = [torch.empty_like(x) for _ in values]
    arrays = {("x", 0): x, ("x", 1): y, **{("out", i): out for i, out in enumerate(outs)}}
    source = cuda.forward(captured, Variant(double=dtype == torch.float64))
    launch(source, arrays, 1, x.numel(), dtype == torch.float64)
    for (name, node), out in zip(values.items(), outs, strict=True):
        function = TORCH.get(name) or getattr(torch, name)
        operands = (x, y) if len(inputs_of(node)) == 2 else (x,)
        expected = function(*operands).to(dtype)
        rtol = 1e-6 if dtype == torch.float32 else 1e-14
        assert torch.allclose(out, expected, rtol=rtol, atol=0, equal_nan=True), name


def inputs_of(node):
    return {arg.place for arg in needed([node]) if arg.op == "in"}


def sources(case):
    """The forward and the backward of a case."""
    model, precision, reset, surrogate = case
    found = prepared(model, precision, *reset, surrogate)
    variant = Variant(traces=(0,), gx=(True,) * found.net.inputs, **found.options)
    return [printed(found.captured, variant).text for printed in (cuda.forward, cuda.backward)]


def nvcc(text, folder, *options):
    file = folder / "kernel.cu"
    file.write_text(text)
    command = ["nvcc", *cuda.FLAGS, *options, str(file), "-o", str(folder / "kernel.out")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stderr


def compiled_without_spills(text, folder, arch):
    report = nvcc(text, folder, "-cubin", f"-arch={arch}", "-Xptxas", "-v")
    spills = re.findall(r"(\d+) bytes spill", report)
    assert report.count("Compiling entry function") == text.count("__global__ void")
    # Of each kernel, and of what it calls: stores and loads.
    assert spills
    assert set(spills) == {"0"}, report


@compiles
@pytest.mark.parametrize(
    ("case", "arch"),
    [
        (("plain", "single", (0.0, False), "atan"), "sm_80"),
        (("two-states", "double", (None, False), "sigmoid"), "sm_90"),
    ],
    ids=["sm_80", "sm_90"],
)
def test_nvcc_compiles_a_sample_without_spills(case, arch, tmp_path):
    forward, backward = sources(case)
    text = joined({"forward": forward, "backward": backward})
    compiled_without_spills(text, tmp_path, arch)


@compiles
@pytest.mark.slow
@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
@pytest.mark.parametrize("model", MODELS)
def test_nvcc_compiles_all_models_without_spills(model, arch, tmp_path):
    cases = itertools.product(("single", "double"), ((0.0, False), (None, False)), SURROGATES)
    texts = dict.fromkeys(text for rest in cases for text in sources((model, *rest)))
    text = joined({f"kernel{i}": text for i, text in enumerate(texts)})
    compiled_without_spills(text, tmp_path, arch)


@compiles
@pytest.mark.parametrize("double", [False, True])
def test_nvcc_compiles_every_operation(double, tmp_path):
    _, captured = every_operation()
    nvcc(cuda.forward(captured, Variant(double=double)).text, tmp_path, "-cubin", "-arch=sm_90")


@compiles
def test_products_and_sums_are_not_contracted_and_quotients_are_true(tmp_path):
    case = prepared("two-states")
    source = cuda.forward(case.captured, Variant(**case.options))
    nvcc(source.text, tmp_path, "-ptx", "-arch=sm_90")
    ptx = (tmp_path / "kernel.out").read_text()
    assert "mul.f32" in ptx or "mul.rn.f32" in ptx
    assert not re.search(r"\b(fma|mad)\.(rn\.)?(ftz\.)?f(32|64)", ptx)
    captured = prepared("plain").captured
    nvcc(cuda.forward(captured, Variant(scalars=(True,))).text, tmp_path, "-ptx", "-arch=sm_90")
    assert "div.rn.f32" in (tmp_path / "kernel.out").read_text()


def nvrtc():
    """The run-time compiler of an installed wheel or of the system; None if there is none."""
    for name in ("nvidia-cuda-nvrtc", "nvidia-cuda-nvrtc-cu13", "nvidia-cuda-nvrtc-cu12"):
        try:
            files = importlib.metadata.files(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in files:
            if re.match(r"libnvrtc\.so\.\d+$", file.name):
                return ctypes.CDLL(str(file.locate()))
    found = ctypes.util.find_library("nvrtc")
    return ctypes.CDLL(found) if found else None


@pytest.mark.parametrize("double", [False, True])
def test_the_run_time_compiler_takes_the_text_without_headers(double):
    library = nvrtc()
    if library is None:
        pytest.skip("NVRTC is not installed (pip install nvidia-cuda-nvrtc)")
    texts = sources(("plain", "double" if double else "single", (0.0, False), "atan"))
    texts.append(cuda.forward(every_operation()[1], Variant(double=double)).text)
    options = [option.encode() for option in (*cuda.FLAGS, "--gpu-architecture=sm_80")]
    for text in texts:
        program, size = ctypes.c_void_p(), ctypes.c_size_t()
        created = library.nvrtcCreateProgram(
            ctypes.byref(program), text.encode(), b"kernel.cu", 0, None, None
        )
        assert created == 0
        rc = library.nvrtcCompileProgram(
            program, len(options), (ctypes.c_char_p * len(options))(*options)
        )
        library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        library.nvrtcGetProgramLog(program, log)
        assert rc == 0, log.value.decode()
        library.nvrtcGetCUBINSize(program, ctypes.byref(size))
        library.nvrtcDestroyProgram(ctypes.byref(program))
        assert size.value > 1000
