"""Kernels written by hand against torch, closed forms and finite differences, on both targets."""

from __future__ import annotations

import copy
import ctypes
import importlib.util
import os
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snncore.kernels import Kernel, build, cpp, cuda, kernel
from snncore.kernels.dialect import FUNCTIONS
from snncore.kernels.emit.cpp import backward, forward
from snncore.kernels.emit.passes import Variant
from snncore.kernels.program import AGAIN, KEEP, MARKS, Way
from snncore.kernels.saving import saved_values
from snncore.testing.kernel import check

compiled = pytest.mark.skipif(
    cpp.CppBackend().available() is not None, reason="no working C++ compiler is installed"
)


def sibling(name):
    """A test file of its own: a test folder is no package."""
    known = f"handwritten_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, Path(__file__).with_name(f"{name}.py"))
        # Under its name, so that what it defines can be pickled.
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


on_cuda = sibling("test_cuda")
assert_vectorised = sibling("test_backend").assert_vectorised
cases = sibling("handwritten_cases")
KERNELS, LEAKY, REFRACTORY = cases.KERNELS, cases.LEAKY, cases.REFRACTORY
X = torch.rand(4, 3)
everyone = pytest.mark.parametrize("name", KERNELS)


@compiled
@everyone
def test_a_kernel_is_its_reference(name):
    written, values = KERNELS[name]
    check(written, values=values)


@compiled
def test_branches_and_outputs_that_keep_their_zero():
    x = torch.randn(50, 4)
    for a, b in zip(cases.BRANCHY(x), REFRACTORY(x), strict=True):
        assert torch.equal(a, b)
    assert cases.BRANCHY(x)[0].any()


@compiled
def test_a_low_pass_is_a_sum_of_powers():
    x = torch.randn(9, 4, dtype=torch.float64, requires_grad=True)
    y, v = LEAKY(x, decay=0.8)
    lag = torch.arange(9)[:, None] - torch.arange(9)
    weights = torch.where(lag >= 0, 0.8 ** lag.clamp(min=0).double(), 0.0)
    assert torch.allclose(y, 0.5 * weights @ x)
    assert torch.allclose(v, (weights @ x)[-1])
    (grad,) = torch.autograd.grad(y.sum(), x)
    assert torch.allclose(grad, 0.5 * weights.sum(0)[:, None].expand_as(x))


@compiled
@pytest.mark.parametrize("way", [AGAIN, KEEP, MARKS])
@pytest.mark.parametrize("name", ["leaky", "gated", "squash"])
def test_gradients_do_not_depend_on_what_is_kept(monkeypatch, name, way):
    asked = []
    monkeypatch.setattr(cpp.CppTarget, "way", lambda *a: asked.append(a) or Way(way, "a test"))
    written, values = KERNELS[name]
    xs = [torch.randn(130, 7, dtype=torch.float64) for _ in written.definition.inputs]
    grads = []
    for run in (written, written.plain):
        leaves = [x.clone().requires_grad_() for x in xs]
        param = torch.full((7,), next(iter(values.values())), dtype=torch.float64)
        leaves.append(param.requires_grad_())
        found = run(*leaves[:-1], **{next(iter(values)): leaves[-1]})
        total = sum(y.cos().sum() for y in (found if isinstance(found, tuple) else (found,)))
        grads.append(torch.autograd.grad(total, leaves))
    assert asked
    for a, b in zip(*grads, strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10)


@compiled
@given(
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    start=st.floats(-2, 2, width=32),
    decay=st.floats(-1, 1, width=32),
)
def test_any_shape_start_and_parameter(shape, start, decay):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for got, expected in zip(
        LEAKY(x, decay=decay, v=start), LEAKY.plain(x, decay=decay, v=start), strict=True
    ):
        assert torch.equal(got, expected)


@compiled
def test_half_floats_compute_and_carry_in_float32():
    x = torch.rand(6, 5).bfloat16()
    y, v = LEAKY(x, decay=0.3)
    wide, last = LEAKY(x.float(), decay=0.3)
    assert (y.dtype, v.dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(y, wide.bfloat16())
    assert torch.equal(v, last)


@compiled
def test_numbers_are_of_the_type_of_the_kernel():
    # In double, 0.1 * 3 rounded once is another float32 than the product of two float32.
    tenth = Kernel("tenth", inputs=("x",), outputs=("y",), step="y = 0.1 * x + 1e-1 * .5;")
    x = torch.linspace(-3, 3, 999)
    assert torch.equal(tenth(x), 0.1 * x + torch.tensor(0.1) * 0.5)
    assert torch.equal(tenth(x.double()), 0.1 * x.double() + 0.05)


@compiled
@everyone
def test_the_inner_loops_are_vectorised(name, tmp_path):
    written, values = KERNELS[name]
    captured = written.definition.captured(tuple(range(len(values))))
    assert_vectorised(forward(captured, Variant(scalars=(True,))).text, tmp_path)
    if written.definition.differentiable:
        saves = saved_values(captured)
        again = Variant(
            saves=saves,
            recompute=any(node.role != "x" for node in saves),
            gx=(True,) * len(written.definition.inputs),
            scalars=(True,),
        )
        assert_vectorised(backward(captured, again).text, tmp_path)


@compiled
def test_every_function_of_the_dialect_is_that_of_torch():
    pairs = {"max": torch.maximum, "min": torch.minimum, "pow": torch.pow, "fmod": torch.fmod}
    calls = [f"z_{name} = snn_{name}(x{', y' * (name in pairs)});" for name in FUNCTIONS]
    outputs = [f"z_{name}" for name in FUNCTIONS]
    every = Kernel("every", inputs=("x", "y"), outputs=outputs, step="\n".join(calls))
    x, y = torch.linspace(0.1, 0.9, 50), torch.linspace(0.9, 0.2, 50)
    for name, got in zip(FUNCTIONS, every(x, y), strict=True):
        expected = pairs[name](x, y) if name in pairs else getattr(torch, name)(x)
        assert torch.allclose(got, expected, rtol=1e-6, atol=1e-7), name


@pytest.fixture
def shim(monkeypatch):
    """CUDA C runs on the CPU."""

    def compiled(text, device):
        entry = build.load(f"{on_cuda.SHIM}\n{text}\n#undef snn_kernel\nSHIM_ENTRY(snn_kernel)\n")

        def launch(grid, block, arguments):
            held = [np.array(value) for value in arguments]
            pointers = (ctypes.c_void_p * len(held))(*(value.ctypes.data for value in held))
            entry((ctypes.c_int64 * 2)(*grid, *block), pointers, None)

        return launch

    monkeypatch.setattr(cuda, "compiled", compiled)
    monkeypatch.setattr(kernel, "_target", lambda device: cuda.CudaTarget())


@compiled
@pytest.mark.usefixtures("shim")
@everyone
def test_cuda_on_the_cpu_is_the_reference_too(name):
    written, values = KERNELS[name]
    check(copy.deepcopy(written), values=values)


@compiled
@pytest.mark.parametrize("name", ["leaky", "refractory"])
def test_cuda_on_the_cpu_gives_the_bits_of_cpp(name, request):
    written, values = KERNELS[name]
    x = torch.randn(11, 300)
    here = written(x, **values)
    request.getfixturevalue("shim")
    there = copy.deepcopy(written)(x, **values)
    assert all(torch.equal(a, b) for a, b in zip(here, there, strict=True))


def sources(name, double):
    """The forward and the backward of a kernel in CUDA C."""
    written, values = KERNELS[name]
    captured = written.definition.captured(tuple(range(len(values))))
    count = len(written.definition.inputs)
    options = {"saves": saved_values(captured), "double": double, "scalars": (False,)}
    yield on_cuda.cuda.forward(captured, Variant(**options)).text
    if written.definition.differentiable:
        yield on_cuda.cuda.backward(captured, Variant(gx=(True,) * count, **options)).text


@on_cuda.compiles
@pytest.mark.slow
@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
def test_nvcc_compiles_them_without_spills(arch, tmp_path):
    texts = {
        f"{name} {double} {i}": text
        for name in KERNELS
        for double in (False, True)
        for i, text in enumerate(sources(name, double))
    }
    on_cuda.compiled_without_spills(on_cuda.joined(texts), tmp_path, arch)


@on_cuda.compiles
def test_nvcc_names_the_users_line(tmp_path):
    broken = Kernel("broken", inputs=("x",), outputs=("y",), step="S a = x;\ny = a + missing;")
    text = on_cuda.cuda.forward(broken.definition.captured(), Variant()).text
    file = tmp_path / "kernel.cu"
    file.write_text(text)
    ran = subprocess.run(
        ["nvcc", *on_cuda.cuda.FLAGS, "-ptx", str(file), "-o", str(tmp_path / "out")],
        capture_output=True,
        text=True,
    )
    (found,) = broken.definition.step.explained(ran.stdout + ran.stderr)
    assert found.startswith("broken.step, line 2:\n    y = a + missing;\n")
    assert 'identifier "missing" is undefined' in found


@compiled
@pytest.mark.parametrize("warm", [False, True])
def test_a_compiler_of_torch_keeps_it_whole_at_any_length(warm):
    leaky = copy.deepcopy(LEAKY)
    decay = torch.rand(3, requires_grad=True)

    def loss(x):
        y, v = leaky(2 * x, decay=decay)
        return leaky(y, decay=0.5)[0].sum() + v.sum()

    if warm:
        loss(X)
    torch.compiler.reset()
    with warnings.catch_warnings():
        # Dynamo trips over deprecations of its own.
        warnings.simplefilter("ignore")
        whole = torch.compile(loss, fullgraph=True, backend="aot_eager")
        for steps in (4, 70):
            x = torch.rand(steps, 2, 3, requires_grad=True)
            got = torch.autograd.grad(whole(x), (x, decay))
            expected = torch.autograd.grad(loss(x), (x, decay))
            assert all(torch.allclose(a, b) for a, b in zip(got, expected, strict=True))


@compiled
def test_copies_and_pickles_are_the_same_kernel():
    expected = LEAKY(X, decay=0.5)
    for twin in (copy.deepcopy(LEAKY), pickle.loads(pickle.dumps(LEAKY))):
        assert repr(twin) == repr(LEAKY) == "Kernel leaky(x, *, decay, v=0) -> y, v"
        assert all(torch.equal(a, b) for a, b in zip(twin(X, decay=0.5), expected, strict=True))


@compiled
def test_many_threads_compile_it_once(monkeypatch, tmp_path):
    monkeypatch.setenv("SNN_CACHE", str(tmp_path))
    fresh = Kernel("fresh", inputs=("x",), outputs=("y",), step="y = x * 7.0 - 41.0;")
    found = []
    threads = [threading.Thread(target=lambda: found.append(fresh(X))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(torch.equal(y, X * 7.0 - 41.0) for y in found)
    assert [file.suffix for file in (tmp_path / "kernels").iterdir()] == [".so"]


@compiled
def test_a_kernel_at_the_head_of_a_module_costs_its_import_nothing(tmp_path):
    code = (
        "from snncore.kernels import Kernel\n"
        "Kernel('k', inputs=('x',), outputs=('y',), step='y = x;')\n"
    )
    env = {**os.environ, "SNN_CACHE": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    assert list(tmp_path.iterdir()) == []
