"""How the CUDA and Triton backends are chosen, and how CUDA C is compiled and launched.

No device is needed: torch says that there is one, and a stand-in for CuPy notes what is asked.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import snncore as snn
from snncore.errors import BackendError
from snncore.kernels import cuda, triton
from snncore.kernels.backends import Plan, choose
from snncore.neuron import Neuron


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


@pytest.fixture
def device(monkeypatch):
    """A machine with a CUDA device, as far as torch says."""
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    cuda._no_compiler.cache_clear()
    yield
    cuda._no_compiler.cache_clear()


def installed(monkeypatch, **modules):
    """Only these of CuPy and Triton can be found."""
    inner = importlib.util.find_spec

    def find_spec(name):
        return modules.get(name) if name in ("cupy", "triton") else inner(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


@pytest.mark.parametrize("backend", [cuda.CudaBackend, triton.TritonBackend])
def test_without_a_device_both_say_so(monkeypatch, backend):
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "is built without CUDA; install a build of it for CUDA" in backend().available()
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert backend().available() == "torch finds no CUDA device; `nvidia-smi` should list one"


@pytest.mark.usefixtures("device")
def test_without_cupy_cuda_says_what_to_install(monkeypatch):
    installed(monkeypatch)
    assert cuda.CudaBackend().available() == (
        "CuPy is not installed; pip install 'snncore[cuda12]' (or 'snncore[cuda13]', as "
        "`nvidia-smi` says)"
    )


@pytest.mark.usefixtures("device")
def test_a_broken_cupy_is_quoted(monkeypatch):
    def version():
        raise RuntimeError("CuPy failed to load libnvrtc.so.12:\n OSError")

    broken = SimpleNamespace(cuda=SimpleNamespace(nvrtc=SimpleNamespace(getVersion=version)))
    installed(monkeypatch, cupy="found")
    monkeypatch.setitem(sys.modules, "cupy", broken)
    reason = cuda.CudaBackend().available()
    assert "(RuntimeError: CuPy failed to load libnvrtc.so.12: OSError); pip install" in reason


@pytest.mark.usefixtures("device")
def test_triton_says_what_it_needs(monkeypatch):
    installed(monkeypatch)
    backend = triton.TritonBackend()
    assert backend.available() == "Triton is not installed; pip install 'snncore[triton]'"
    installed(monkeypatch, triton="found")
    monkeypatch.setattr(triton.metadata, "version", lambda name: "3.2.0")
    assert backend.available().startswith("it needs Triton 3.7 or newer, 3.2.0 is installed; ")
    monkeypatch.setattr(triton.metadata, "version", lambda name: "3.10.1")
    assert backend.available() is None


def on_device(module):
    """A plan for an input on a device that need not be here."""
    return Plan(module, torch.device("cuda", 0), torch.float32, True, torch.Size((2, 1)))


@pytest.fixture
def both(monkeypatch):
    for backend in (cuda.CudaBackend, triton.TritonBackend):
        monkeypatch.setattr(backend, "available", lambda self: None)


@pytest.mark.usefixtures("both", "core_registry")
def test_the_fastest_that_is_available_is_chosen(monkeypatch):
    plan = on_device(Leaky())
    assert choose(plan).name == "cuda"
    assert choose(plan, "triton").name == "triton"
    monkeypatch.setattr(cuda.CudaBackend, "available", lambda self: "CuPy is not installed")
    choice = choose(plan)
    assert (choice.name, choice.rejected) == ("triton", {"cuda": "CuPy is not installed"})
    with pytest.raises(BackendError, match="backend 'cuda' cannot run Leaky: CuPy is not inst"):
        choose(plan, "cuda")


@pytest.mark.usefixtures("both", "core_registry")
def test_what_they_cannot_run_goes_on_with_the_reason():
    class Pooled(Leaky):
        def charge(self, x, v):
            return v + x.mean()

    choice = choose(on_device(Pooled()))
    assert choice.name == "eager"
    assert set(choice.missed) == {"cuda", "triton"}
    assert "aten.mean.default is not pointwise" in choice.rejected["cuda"]
    left = choose(on_device(Leaky(v_threshold=[0.5])))
    assert left.rejected["triton"] == (
        "its v_threshold is on cpu, the input on cuda:0; move the network with .to('cuda:0')"
    )


@pytest.mark.usefixtures("both", "core_registry")
def test_explain_tells_why_a_cpu_input_runs_elsewhere():
    (row,) = snn.explain(Leaky()).rows
    assert row.backend in ("cpp", "eager")
    for name in ("cuda", "triton"):
        assert row.reasons[name] == "it runs on cuda, the input is on cpu"


class Compiler:
    """NVRTC as CuPy offers it."""

    def __init__(self, fails=False):
        self.fails, self.flags = fails, []

    def getVersion(self):
        return 12, 4

    def getSupportedArchs(self):
        return 75, 80, 90

    def createProgram(self, text, name, headers, names):
        return text

    def destroyProgram(self, program):
        self.destroyed = program

    def compileProgram(self, program, flags):
        self.flags.append(flags)
        if self.fails:
            raise RuntimeError("NVRTC_ERROR_COMPILATION (6)")

    def getProgramLog(self, program):
        return "kernel.cu(1): error: expected a declaration"

    def getCUBIN(self, program):
        return b"binary"

    def getPTX(self, program):
        return b"text"


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """CuPy with a compiler and a device that note what is asked of them."""
    monkeypatch.setenv("SNN_CACHE", str(tmp_path))
    noted = SimpleNamespace(launches=[], devices=[], loaded=[])

    class Device:
        def __init__(self, index):
            noted.devices.append(index)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

    class RawModule:
        def __init__(self, *, path):
            noted.loaded.append(Path(path))

        def get_function(self, name):
            assert name == "snn_kernel"
            return lambda *given, stream: noted.launches.append((given, stream))

    module = types.ModuleType("cupy")
    noted.nvrtc = Compiler()
    module.cuda = SimpleNamespace(nvrtc=noted.nvrtc, Device=Device)
    module.RawModule = RawModule
    monkeypatch.setitem(sys.modules, "cupy", module)
    return noted


def test_a_text_is_compiled_once_for_its_device(fake):
    place = cuda._binary("text", (9, 0))
    assert place.suffix == ".cubin"
    assert place.read_bytes() == b"binary\0"
    assert cuda._binary("text", (9, 0)) == place
    (flags,) = fake.nvrtc.flags
    assert flags == ("--std=c++17", "--fmad=false", "--gpu-architecture=sm_90")
    newer = cuda._binary("text", (10, 0))
    assert (newer.suffix, newer.read_bytes()) == (".ptx", b"text")
    assert fake.nvrtc.flags[-1][-1] == "--gpu-architecture=compute_90"
    assert sorted(place.parent.iterdir()) == sorted([place, newer])


def test_what_the_compiler_says_is_quoted(fake):
    fake.nvrtc.fails = True
    with pytest.raises(BackendError, match=r"NVRTC failed on a generated kernel:\nkernel\.cu\(1\)"):
        cuda._binary("text", (9, 0))
    assert fake.nvrtc.destroyed == "text"


@pytest.mark.usefixtures("fake")
def test_a_device_that_is_too_old_is_named():
    with pytest.raises(BackendError, match=r"12\.4 .* compute capability 6\.1; install an older"):
        cuda._binary("text", (6, 1))


def test_launches_are_on_the_stream_and_device_of_torch(fake, monkeypatch):
    device = torch.device("cuda", 3)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(
        torch.cuda, "current_stream", lambda device: SimpleNamespace(cuda_stream=device.index + 40)
    )
    launch = cuda.compiled("text", device)
    launch((2,), (256,), ("arguments",))
    ((given, stream),) = fake.launches
    assert given == ((2,), (256,), ("arguments",))
    assert (stream.ptr, stream.__cuda_stream__()) == (43, (0, 43))
    assert set(fake.devices) == {3}
