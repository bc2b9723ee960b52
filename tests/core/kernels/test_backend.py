"""Selection, building and caching of the C++ backend."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading

import pytest
import torch

import snncore as snn
from snncore.errors import BackendError, NotSupported
from snncore.kernels import backends, build, cache, cpp
from snncore.kernels import compiled as compiled_kernel
from snncore.kernels.capture import capture
from snncore.kernels.compiled import CompiledKernel
from snncore.kernels.emit.cpp import backward, forward
from snncore.kernels.emit.passes import Variant
from snncore.kernels.saving import saved_values
from snncore.neuron import Neuron

compiled = pytest.mark.skipif(
    cpp.CppBackend().available() is not None, reason="no working C++ compiler is installed"
)
X = torch.rand(5, 2, 3)
SIMD = "#pragma omp simd"


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


class Pooled(Leaky):
    def charge(self, x, v):
        return v + x.mean()


@pytest.fixture
def falls_back(monkeypatch):
    """Fallbacks are warnings, wherever the tests run."""
    monkeypatch.delenv("SNN_KERNELS_STRICT", raising=False)
    backends._warned.clear()


@pytest.fixture
def no_compiler(monkeypatch, falls_back):
    monkeypatch.setattr(build, "compiler", lambda: None)


@compiled
def test_the_compiled_backend_is_the_default_on_the_cpu():
    net = Leaky()
    net(X[0])
    (row,) = snn.explain(net).rows
    assert row.backend == "cpp"
    assert {type(kernel) for kernel in net._kernels.values()} == {CompiledKernel}


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_things_run_with_one_warning_that_says_what_to_install():
    with pytest.warns(
        UserWarning,
        match=r"Leaky runs on backend 'eager', because 'cpp' cannot: no C\+\+ compiler is found; "
        r"install g\+\+ or clang\+\+, or name one in CXX. Pass backend='eager'",
    ):
        y = Leaky(step_mode="m")(X)
    assert torch.equal(y, Leaky(step_mode="m", backend="eager")(X))
    Leaky()(X[0])


@pytest.mark.usefixtures("no_compiler")
def test_strict_mode_turns_a_fall_back_into_an_error(monkeypatch):
    monkeypatch.setenv("SNN_KERNELS_STRICT", "1")
    with pytest.raises(BackendError, match=r"no C\+\+ compiler is found"):
        Leaky()(X[0])


@pytest.mark.usefixtures("no_compiler")
def test_a_named_backend_never_falls_back():
    with pytest.raises(BackendError, match="backend 'cpp' cannot run Leaky: no C"):
        Leaky(backend="cpp")(X[0])


@compiled
@pytest.mark.usefixtures("falls_back")
def test_a_step_that_cannot_be_compiled_warns_with_operation_and_line():
    with pytest.warns(UserWarning, match=r"'cpp' cannot: aten\.mean\.default is not pointwise at"):
        y = Pooled(step_mode="m")(X)
    assert torch.equal(y, Pooled(step_mode="m", backend="eager")(X))
    (row,) = snn.explain(Pooled()).rows
    assert row.backend == "eager"
    assert "aten.mean.default is not pointwise" in row.reasons["cpp"]


@compiled
def test_gradients_of_gradients_are_refused_in_our_words():
    x = X.clone().requires_grad_()
    y = Leaky(step_mode="m")(x)
    with pytest.raises(NotSupported, match="build the neuron with backend='eager'"):
        torch.autograd.grad(y.sum(), x, create_graph=True)
    (grad,) = torch.autograd.grad(
        Leaky(step_mode="m", backend="eager")(x).sum(), x, create_graph=True
    )
    assert grad.requires_grad


@compiled
def test_functional_transforms_and_forward_mode_run_the_step_itself():
    net = Leaky(step_mode="m")
    call, init = snn.functional(net)
    states = init(X)
    mapped = torch.func.vmap(lambda x: call(x, states)[0])(torch.stack([X, 2 * X]))
    assert torch.equal(mapped[1], call(2 * X, states)[0])


def test_a_compiler_that_fails_is_quoted(monkeypatch, tmp_path):
    broken = tmp_path / "c++"
    broken.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo broken && exit\necho no >&2; exit 1\n'
    )
    broken.chmod(0o755)
    monkeypatch.setattr(build, "compiler", lambda: str(broken))
    monkeypatch.setenv("SNN_CACHE", str(tmp_path / "cache"))
    build._identity.cache_clear()
    try:
        with pytest.raises(BackendError, match=r"c\+\+ failed on a generated kernel:\nno"):
            build.load("int nothing;")
    finally:
        build._identity.cache_clear()


@compiled
def test_a_kernel_is_compiled_once_by_many_threads(monkeypatch, tmp_path):
    monkeypatch.setenv("SNN_CACHE", str(tmp_path))
    text = 'extern "C" void snn_kernel(const long* d, void* const*, const double*) { (void)d; }\n'
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(build.load(text))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert [p.suffix for p in (tmp_path / "kernels").iterdir()] == [".so"]


@compiled
def test_racing_processes_share_one_cold_cache(tmp_path):
    code = (
        "from snncore.kernels import build\n"
        "build.load('extern \"C\" void snn_kernel(const long*, void* const*, const double*) {}')\n"
    )
    env = {**os.environ, "SNN_CACHE": str(tmp_path)}
    racers = [subprocess.Popen([sys.executable, "-c", code], env=env) for _ in range(3)]
    assert [racer.wait() for racer in racers] == [0, 0, 0]
    assert len(list((tmp_path / "kernels").iterdir())) == 1


def test_the_cache_is_private(monkeypatch, tmp_path):
    monkeypatch.setenv("SNN_CACHE", str(tmp_path))
    folder = cache.folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o777)
    with pytest.raises(BackendError, match="belongs to another user or is writable by others"):
        cache.folder()


@compiled
def test_copies_and_pickles_compile_for_themselves():
    import copy
    import pickle

    net = Leaky(step_mode="m")
    net(X)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        snn.reset(twin)
        expected = Leaky(step_mode="m", backend="eager")(X)
        assert torch.equal(twin(X), expected)
        twin.v_threshold = 0.25
        snn.reset(twin)
        assert not torch.equal(twin(X), expected)
    snn.reset(net)
    assert torch.equal(net(X), expected)


@compiled
def test_a_step_is_captured_once_for_all_shapes(monkeypatch, tmp_path):
    monkeypatch.setenv("SNN_CACHE", str(tmp_path))
    captured: list[torch.Size] = []
    inner = compiled_kernel.capture

    def counting(module, shape, dtype):
        captured.append(shape)
        return inner(module, shape, dtype)

    class Fresh(Leaky): ...

    monkeypatch.setattr(compiled_kernel, "capture", counting)
    net = Fresh(step_mode="m", store_v_seq=True)
    for batch in (2, 2, 4, 2):
        snn.reset(net)
        net(torch.rand(3, batch, 5))
    Fresh(step_mode="m")(torch.rand(3, 2, 5))
    # A shape of each neuron's, and another to see that it would give the same.
    assert captured == [(2, 5), (3, 6)] * 2


def assert_vectorised(text, folder):
    """A branch or a scalar library call in a step would cost an order of magnitude."""
    if "clang" in build._identity():
        pytest.skip("clang reports vectorised loops in another form")
    file = folder / "kernel.cpp"
    file.write_text(text)
    ran = subprocess.run(
        [build.compiler(), *build.flags(), "-fopt-info-vec", "-c", file, "-o", os.devnull],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    found = [line for line in ran.stderr.splitlines() if "loop vectorized" in line]
    report = {int(line.split(":")[1]) for line in found}
    inner = [i + 2 for i, line in enumerate(text.splitlines()) if line.strip() == SIMD]
    assert inner
    # gcc names a loop by its head or by its first statement
    scalar = [place for place in inner if not {place, place + 1} & report]
    assert not scalar, f"scalar loops at lines {scalar} of:\n{text}"


@compiled
@pytest.mark.parametrize("surrogate", ["atan", "sigmoid", "triangle", "soft_sign", "erf", "rect"])
def test_the_inner_loops_are_vectorised(surrogate, tmp_path):
    captured = capture(Leaky(surrogate=surrogate), torch.Size((4, 3)), torch.float32)
    saves = saved_values(captured)
    again = Variant(saves=saves, recompute=True, gx=(True,))
    for source in (forward(captured, Variant()), backward(captured, again)):
        assert_vectorised(source.text, tmp_path)
