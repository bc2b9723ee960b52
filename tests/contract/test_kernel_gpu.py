"""Kernels on CUDA devices against eager there and against the C++ kernels on the CPU.

Compilation for devices is tested wherever their compilers are; the rest needs a device.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import snncore as snn
from snncore import registry
from snncore.kernels.cpp import CppBackend
from snncore.kernels.cuda import CudaTarget
from snncore.kernels.emit import cuda as printer
from snncore.kernels.emit.passes import Variant
from snncore.kernels.program import MARKS, Way
from snncore.neuron import Neuron
from snncore.testing.neuron.run import held, outputs_of

_spec = importlib.util.spec_from_file_location(
    "kernel_cases", Path(__file__).with_name("kernel_cases.py")
)
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)

compilers = cases.load(cases.CORE / "test_cuda.py")
compilers.MODELS = cases.models()

_device = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def gpu(test):
    """What only a device can show."""
    return pytest.mark.gpu(_device(test))


DEVICE = torch.device("cuda", 0)
DTYPES = {
    "single": torch.float32,
    "double": torch.float64,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
BACKENDS = ("cuda", "triton")
COLUMNS = cases.columns(("keep", "marks", "inference"))
COLUMNS |= {"precision": tuple(DTYPES), "backend": BACKENDS}
SAMPLE = cases.covering(COLUMNS)
# Of marks more than one, but no more steps than a quadratic membrane stays finite for.
STEPS = 11


class Leaky(Neuron):
    def charge(self, x, v):
        return v + (x - v) / 3.0


def needed(backend):
    """Skips where a backend cannot run; its reason says what to install."""
    reason = registry.get("backend", backend)().available()
    if reason is not None:
        pytest.skip(f"backend {backend}: {reason}")


def outcome(row, backend, device):
    """Outputs, states and recorded potentials by name, and gradients by name, on the CPU."""
    torch.manual_seed(0)
    dtype = DTYPES[row["precision"]]
    names = ("v_reset", "detach_reset", "surrogate", "store_v_seq")
    options = {name: row[name] for name in names}
    net = cases.make(row["model"], **options, step_mode="m", backend=backend)
    net = net.to(device, torch.float64 if dtype == torch.float64 else torch.float32)
    train = row["variant"] != "inference"
    inputs = [(torch.randn(STEPS, *cases.SHAPE) / 2 + 0.4).to(dtype) for _ in range(net.inputs)]
    xs = {f"input {i}": x.to(device).requires_grad_(train) for i, x in enumerate(inputs)}
    with torch.set_grad_enabled(train):
        ys = outputs_of(net(*xs.values()))
    values = {f"output {i}": y for i, y in enumerate(ys)} | held(net)
    if row["store_v_seq"] and net.v_seq is not None:
        values["v_seq"] = net.v_seq
    grads = {}
    if train:
        leaves = xs | {name: p for name, p in net.named_parameters() if p.requires_grad}
        incoming = [torch.randn(v.shape).to(v) for v in values.values()]
        found = torch.autograd.grad(
            list(values.values()), list(leaves.values()), incoming, allow_unused=True
        )
        grads = dict(zip(leaves, found, strict=True))
    return on_cpu(values), on_cpu(grads)


def on_cpu(tensors):
    return {name: None if t is None else t.detach().cpu() for name, t in tensors.items()}


def compare(got, expected, *tolerances):
    """Errors of values and of gradients, relative to the largest one, which is 1 at least."""
    for a, b, tolerance in zip(got, expected, tolerances, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            assert (a[name] is None) == (b[name] is None), name
            if a[name] is not None:
                compare_tensors(name, a[name], b[name], tolerance)


def compare_tensors(name, a, b, tolerance):
    assert (a.shape, a.dtype) == (b.shape, b.dtype), name
    scale = b.double().abs().max().clamp_min(1.0)
    error = ((a.double() - b.double()).abs().max() / scale).item()
    assert error <= tolerance, f"{name}: {error:.2g} beyond {tolerance:.2g}"


@gpu
@pytest.mark.usefixtures("nan_empty")
@pytest.mark.parametrize("row", SAMPLE, ids=cases.title)
def test_a_kernel_equals_cpp_and_eager(row, monkeypatch):
    needed(row["backend"])
    if row["variant"] == "marks":
        # Triton leaves none, and keeps.
        monkeypatch.setattr(CudaTarget, "way", lambda self, steps, count: Way(MARKS, "tested"))
    got = outcome(row, row["backend"], DEVICE)
    half = torch.finfo(DTYPES[row["precision"]]).eps if row["precision"] in ("bf16", "fp16") else 0
    wide = row["precision"] == "double"
    grads = max(half, 1e-10 if wide else 2e-6)
    if CppBackend().available() is None:
        values = (1e-12 if wide else 2e-6) if cases.rounds(row["model"]) else 0.0
        compare(got, outcome(row, "cpp", "cpu"), values, grads)
    # A quotient by a number is a product with its inverse in torch on devices.
    compare(
        got,
        outcome(row, "eager", DEVICE),
        1e-10 if wide else 1e-5,
        max(grads, 1e-10 if wide else 1e-5),
    )


def test_the_sample_meets_every_backend_and_type():
    assert {(row["backend"], row["precision"]) for row in SAMPLE} == {
        (backend, precision) for backend in BACKENDS for precision in DTYPES
    }


def layer(backend, **options):
    return Leaky(step_mode="m", backend=backend, **options).to(DEVICE)


def data(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).to(DEVICE) + 0.4


@gpu
@pytest.mark.parametrize("backend", BACKENDS)
def test_numbers_near_zero_and_beyond_all_are_kept(backend):
    needed(backend)
    x = torch.tensor([[float("nan"), float("inf"), -float("inf"), 1e38, -0.0, 1e-40, 3e-45]])
    net, plain = layer(backend), Leaky(step_mode="m", backend="eager")
    y, expected = net(x.to(DEVICE)), plain(x)
    assert torch.equal(y.cpu(), expected)
    torch.testing.assert_close(net.v.cpu(), plain.v, rtol=0, atol=0, equal_nan=True)


@gpu
@pytest.mark.parametrize("backend", BACKENDS)
def test_kernels_run_on_the_current_stream(backend):
    needed(backend)
    net, real = layer(backend), data(8, 1000)
    expected = net(real)
    x = torch.zeros_like(real)
    net(x)
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        # Any other stream would read x before it is written.
        torch.cuda._sleep(100_000_000)
        x.copy_(real)
        snn.reset(net)
        y = net(x)
    torch.cuda.synchronize()
    assert torch.equal(y, expected)


@gpu
@pytest.mark.parametrize("backend", BACKENDS)
def test_kernels_run_on_the_device_of_their_input(backend):
    needed(backend)
    if torch.cuda.device_count() < 2:
        pytest.skip("one CUDA device only")
    first, other = layer(backend), Leaky(step_mode="m", backend=backend).to("cuda:1")
    x = data(8, 1000).requires_grad_()
    there = x.detach().to("cuda:1").requires_grad_()
    assert torch.cuda.current_device() == 0
    y, far = first(x), other(there)
    assert far.device == there.device
    assert torch.equal(y.cpu(), far.cpu())
    y.sum().backward(), far.sum().backward()
    assert torch.equal(x.grad.cpu(), there.grad.cpu())


@gpu
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cuda_graph_replays_forward_and_backward(backend):
    needed(backend)
    net = layer(backend, v_threshold=[0.9])
    x, g = data(8, 1000).requires_grad_(), data(8, 1000)

    def train():
        snn.reset(net)
        y = net(x)
        return y, torch.autograd.grad(y, x, g)[0]

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            train()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = train()
    with torch.no_grad():
        x.mul_(-0.7).add_(0.5)
    graph.replay()
    torch.cuda.synchronize()
    assert all(torch.equal(a, b) for a, b in zip(found, train(), strict=True))


@gpu
@pytest.mark.parametrize("compiler", ["aot_eager", "inductor"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.filterwarnings("ignore")
def test_torch_compile_takes_them_whole(backend, compiler):
    needed(backend)
    torch.compiler.reset()
    net, plain = layer(backend), layer(backend)
    compiled = torch.compile(net, backend=compiler, fullgraph=True, dynamic=True)
    for steps, count in ((8, 100), (12, 100), (8, 300)):
        x = data(steps, count).requires_grad_()
        other = x.detach().clone().requires_grad_()
        snn.reset(net), snn.reset(plain)
        y, expected = compiled(x), plain(other)
        assert torch.equal(y, expected)
        (2 * y).sum().backward(), (2 * expected).sum().backward()
        assert torch.equal(x.grad, other.grad)


@gpu
@pytest.mark.parametrize("backend", BACKENDS)
def test_any_layout_of_the_input(backend):
    needed(backend)
    x = data(3, 6, 5, 4)
    layouts = {
        "dense": x,
        "channels last": x.contiguous(memory_format=torch.channels_last),
        "every other": torch.stack([x, x], -1)[..., 0],
        "same at every step": x[:1].expand(7, -1, -1, -1),
        "off by one element": torch.cat([x.new_zeros(1), x.flatten()])[1:].view_as(x),
        "no step": x[:0],
        "no neuron": x[:, :0],
    }
    for name, given in layouts.items():
        net, plain = layer(backend), layer("eager")
        assert torch.equal(net(given), plain(given)), name


@gpu
@pytest.mark.parametrize("backend", BACKENDS)
def test_more_than_two_to_the_31_elements(backend):
    needed(backend)
    count = 2**29 + 64
    if torch.cuda.mem_get_info()[0] < 24 << 30:
        pytest.skip("less than 24 GiB of device memory are free")
    x = torch.zeros(5, count, dtype=torch.bfloat16, device=DEVICE)
    x[:, -64:] = data(5, 64) * 4
    with torch.no_grad():
        y, expected = layer(backend)(x), layer(backend)(x[:, -64:].contiguous())
    assert expected.any()
    assert torch.equal(y[:, -64:], expected)
    assert not y[:, :1000].any()


@gpu
def test_cuda_and_triton_are_the_default():
    if CudaTarget.name not in usable():
        pytest.skip("backend cuda is not available")
    net = Leaky(step_mode="m").to(DEVICE)
    (row,) = snn.explain(net, data(2, 3)).rows
    assert row.backend == "cuda"


def usable():
    return [name for name in BACKENDS if registry.get("backend", name)().available() is None]


def test_the_benchmark_says_that_it_needs_a_device():
    script = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
    ran = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    assert ran.stderr.strip() == (
        "torch finds no CUDA device; this check needs one (`nvidia-smi` lists them)"
    )


def texts(model, io, marks):
    """The forward and the backward for half floats, from kept values or from marks."""
    case = compilers.prepared(model, "single", 0.0, False, "atan")
    both = Variant(gx=(True,) * case.net.inputs, io=io, **case.options)
    there = replace(both, saves=() if marks else both.saves, marks=marks)
    back = replace(both, recompute=marks and bool(both.kept))
    return [
        printer.forward(case.captured, there).text,
        printer.backward(case.captured, back).text,
    ]


FORMS = [("f", True), ("bf16", False), ("bf16", True), ("fp16", False)]
FORMATS = {"model": tuple(compilers.MODELS), "form": FORMS, "arch": (80, 90)}


@compilers.compiles
@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form[0]}-{form[1]}")
@pytest.mark.parametrize("arch", [80, 90])
def test_half_floats_and_marks_compile_without_spills(form, arch, tmp_path):
    found = {
        f"{cases.title(row)} {i}": text
        for row in cases.covering(FORMATS)
        if (row["form"], row["arch"]) == (form, arch)
        for i, text in enumerate(texts(row["model"], *form))
    }
    compilers.compiled_without_spills(compilers.joined(found), tmp_path, f"sm_{arch}")


@pytest.mark.slow
@pytest.mark.parametrize("model", compilers.MODELS)
def test_triton_compiles_half_floats_without_spills(model, tmp_path, monkeypatch):
    arch = 80 if list(compilers.MODELS).index(model) % 2 else 90
    offline = cases.load(cases.CORE / "test_triton.py")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "texts").mkdir()
    case = compilers.prepared(model, "single", 0.0, False, "atan")
    variant = Variant(gx=(True,) * case.net.inputs, io="bf16", **case.options)
    for printed in (offline.printer.forward, offline.printer.backward):
        source = printed(case.captured, variant)
        narrow = [slot.name for slot in source.slots if slot.kind == "bf16"]
        ptx = offline.offline(source, arch, tmp_path / "texts", narrow=narrow)
        assert narrow
        assert offline.spilled(ptx, tmp_path) == 0
        # exp and log of CUDA's own library flush inside, where no result can be that small.
        assert not re.search(r"\b(add|sub|mul|fma|div|sqrt|min|max|cvt)\.\S*ftz", ptx)
        assert not re.search(r"(add|sub|mul|fma)\S*bf16", ptx)
