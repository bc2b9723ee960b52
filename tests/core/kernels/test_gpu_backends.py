"""The CUDA and Triton backends without a GPU.

Triton runs in its interpreter, CUDA C through a shim on the CPU, both behind the same targets,
programs and autograd as on a device. Run as a script with ``TRITON_INTERPRET=1`` in the
environment, this file prints what the interpreter gives: Triton picks it when it is imported.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
import torch

from snncore.errors import BackendError
from snncore.kernels import build, cuda, gpu, triton
from snncore.kernels.compiled import CompiledKernel
from snncore.kernels.cpp import CppBackend
from snncore.kernels.emit.slots import Slot, Source
from snncore.kernels.function import unroll
from snncore.kernels.program import AGAIN, KEEP, MARKS, Launch


def load(name):
    """A test file of its own: a test folder is no package."""
    file = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"gpu_{name}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


equality = load("test_equality")
equality.WAYS = {"inference": AGAIN, "keep": KEEP, "marks": MARKS}
SHIM = Path(__file__).with_name("cuda_shim.h").read_text()
HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
SAMPLE = equality.SAMPLE[::6]

runs = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)
interprets = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None,
    reason="triton is not installed; `pip install --no-deps triton` needs no GPU",
)


def check(target, case, variant, **options):
    """A case of the equality tests on another target."""
    equality.CppTarget = lambda stretch: target
    equality.check(case, variant=variant, **options)


def check_half(target, dtype, way):
    """Half floats in and out; arithmetic and states are float32, as in eager."""
    torch.manual_seed(0)
    net = equality.MODELS["two-states"](step_mode="m", backend="eager")
    x = (torch.randn(19, 300, 3, 2) + 0.4).to(dtype)
    given, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    starts = [torch.zeros(300, 3, 2), torch.full((300, 3, 2), 0.1)]
    expected, ends, rows = net._kernel(x[0]).sequence((given,), tuple(starts), (0,))
    kernel = CompiledKernel(net, target)
    got, found, traces = unroll(kernel.handle, [other], starts, [net.beta], (0,), 1, way)
    for a, b in zip((*expected, *ends, *rows), (*got, *found, *traces), strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    incoming = torch.rand_like(expected[0])
    wanted = torch.autograd.grad(expected[0], (given, net.beta), incoming)
    grads = torch.autograd.grad(got[0], (other, net.beta), incoming)
    assert grads[0].dtype == dtype
    # The last bit of a half float.
    torch.testing.assert_close(grads[0], wanted[0], rtol=torch.finfo(dtype).eps, atol=1e-6)
    torch.testing.assert_close(grads[1], wanted[1], rtol=2e-6, atol=1e-6)


def check_layouts(target):
    """Batches beyond one block, layouts of the input, and several lengths on one program."""
    net = equality.MODELS["channel"](step_mode="m", backend="eager")
    kernel = CompiledKernel(net, target)
    x = torch.randn(3, 99, 3, 2)
    last = torch.stack([x, x], -1)[..., 0]
    turned = x.transpose(-1, -3).contiguous().transpose(-1, -3)
    for given in (x, last, turned, x[:1].expand(7, -1, -1, -1), x[:0]):
        start = (torch.zeros(given.shape[1:]),)
        expected = net._kernel(given.new_empty(given.shape[1:])).sequence((given,), start, ())
        with torch.no_grad():
            got = kernel.sequence((given,), start, ())
        assert torch.equal(got[0][0], expected[0][0])
        assert torch.equal(got[1][0], expected[1][0])
        assert got[0][0].stride() == given.contiguous().stride() or given is turned


CHECKS = {
    **{f"{'-'.join(map(str, c))}-{v}": (c, v) for c in SAMPLE for v in ("keep", "inference")},
    **HALVES,
    "layouts": None,
}


def poisoned(target, shape, dtype, device):
    """Memory in which shows what a kernel forgets to write."""
    return torch.full(shape, torch.nan if dtype.is_floating_point else 255, dtype=dtype)


def interpret():
    """The traceback of each check that fails in Triton's interpreter; empty where it passes."""
    found = {}
    triton.TritonTarget.empty = poisoned
    for name, case in CHECKS.items():
        target = triton.TritonTarget()
        try:
            if case is None:
                check_layouts(target)
            elif isinstance(case, tuple):
                check(target, *case)
            else:
                check_half(target, case, KEEP)
            found[name] = ""
        except Exception:
            found[name] = traceback.format_exc()
    return found


@pytest.fixture(scope="module")
def interpreted():
    ran = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return json.loads(ran.stdout.splitlines()[-1])


@interprets
@pytest.mark.parametrize("name", CHECKS)
def test_triton_in_its_interpreter_equals_eager(interpreted, name):
    assert interpreted[name] == ""


@interprets
def test_triton_compiles_what_lies_in_the_cache(monkeypatch, tmp_path):
    offline = load("test_triton")
    monkeypatch.setenv("SNN_CACHE", str(tmp_path))
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "triton"))
    monkeypatch.setattr(offline.cases, "load", lambda text, folder: triton.imported(text))
    _, captured, variant, _ = offline.cases.prepare(offline.cases.PLAIN)
    source = triton.TritonTarget().forward(captured, variant)
    assert ".v2.b32" in offline.offline(source, 90, tmp_path)
    (place,) = (tmp_path / "kernels").iterdir()
    assert place.read_text() == source.text
    assert triton.imported(source.text) is triton.imported(source.text)


def test_huge_runs_leave_marks_where_there_are_any():
    sizes = ((1, 1), (16, 2**28), (17, 2**28))
    assert [cuda.CudaTarget().way(*size).name for size in sizes] == [KEEP, KEEP, MARKS]
    assert {triton.TritonTarget().way(*size).name for size in sizes} == {KEEP}


@pytest.fixture
def shim(monkeypatch):
    """CUDA C runs on the CPU; what is launched is noted."""
    launched = []

    def compiled(text, device):
        entry = build.load(f"{SHIM}\n{text}\n#undef snn_kernel\nSHIM_ENTRY(snn_kernel)\n")

        def launch(grid, block, given):
            launched.append((grid, block, device))
            held = [np.array(value) for value in given]
            pointers = (ctypes.c_void_p * len(held))(*(value.ctypes.data for value in held))
            entry((ctypes.c_int64 * 2)(*grid, *block), pointers, None)

        return launch

    monkeypatch.setattr(cuda, "compiled", compiled)
    return launched


@runs
@pytest.mark.parametrize("variant", equality.WAYS)
@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: "-".join(map(str, case)))
def test_cuda_on_the_cpu_equals_eager(shim, case, variant, nan_empty):
    check(cuda.CudaTarget(), case, variant, steps=19)
    # Eager computes without kernels.
    assert len(shim) == (1 if variant == "inference" else 2)


@runs
@pytest.mark.parametrize("way", [KEEP, MARKS])
@pytest.mark.parametrize("dtype", HALVES.values(), ids=HALVES)
def test_cuda_on_the_cpu_takes_half_floats(shim, dtype, way):
    check_half(cuda.CudaTarget(), dtype, way)
    # 1800 neurons of a step.
    assert {(grid, block) for grid, block, _ in shim} == {((8,), (256,))}


@runs
@pytest.mark.usefixtures("shim")
def test_cuda_on_the_cpu_keeps_layouts():
    check_layouts(cuda.CudaTarget())


@runs
@pytest.mark.parametrize("variant", ["keep", "marks"])
@pytest.mark.usefixtures("shim")
def test_cuda_on_the_cpu_with_no_step_and_one(variant):
    for steps in (0, 1):
        check(cuda.CudaTarget(), SAMPLE[-1], variant, steps=steps)


@runs
def test_no_neurons_launch_nothing(shim):
    check(cuda.CudaTarget(), SAMPLE[-1], "inference", shape=(0, 3, 2))
    assert shim == []


def test_one_step_with_more_neurons_than_a_launch_takes_is_refused():
    assert gpu.blocks(257, 256) == 2
    with pytest.raises(BackendError, match=r"has 549755813889 neurons, .* at most 549755813632"):
        gpu.blocks(2**39 + 1, 256)


def test_tensors_on_several_devices_are_refused():
    x, other = torch.zeros(2), torch.zeros(2, device="meta")
    source = Source("", (Slot("x", 0), Slot("start", 0)), ())
    run = cuda.CudaTarget().load(source, double=False)
    with pytest.raises(
        BackendError,
        match=r"given tensors on cpu and meta; move the network, its states and its "
        r"input to one device, as with net\.to\('cpu'\)",
    ):
        run(Launch(1, 2, 1, [(x, 2, 0), (other, 0, 0)]))


if __name__ == "__main__":
    print(json.dumps(interpret()))
