"""Kernel texts of every registered neuron: vectorised C++, and CUDA C without a GPU."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from snncore.kernels import build, compiled
from snncore.kernels.cpp import CppTarget
from snncore.kernels.function import unroll
from snncore.kernels.program import AGAIN
from snncore.kernels.tensors import tensors_of

_spec = importlib.util.spec_from_file_location(
    "kernel_cases", Path(__file__).with_name("kernel_cases.py")
)
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)

cpp = cases.load(cases.CORE / "test_backend.py")
equality = cases.load(cases.CORE / "test_equality.py")
cuda = cases.load(cases.CORE / "test_cuda.py")
equality.MODELS = cuda.MODELS = cases.models()
equality.ROUNDED = cuda.ROUNDED = cases.Rounded()

COLUMNS = cases.columns(equality.WAYS)
del COLUMNS["store_v_seq"]
SAMPLE = cases.covering(COLUMNS)
PLAIN = {name: values[0] for name, values in COLUMNS.items()} | {"variant": "recompute"}
PLAINS = [PLAIN | {"model": model} for model in cases.neurons()]
LEARNED = [PLAIN | {"model": f"{model}{cases.LEARNED}"} for model in cases.neurons()]


def arguments(row):
    names = ("model", "v_reset", "detach_reset", "surrogate", "precision")
    return tuple(row[name] for name in names)


def batches(rows):
    """Rows of which one call of a compiler takes the kernels."""
    return pytest.mark.parametrize(
        "rows", [rows[i : i + 16] for i in range(0, len(rows), 16)], ids=lambda rows: len(rows)
    )


def check_vectorised(rows, folder, monkeypatch):
    """Compiles what the rows call for, and runs none of it."""
    texts = []
    monkeypatch.setattr(build, "load", lambda text: texts.append(text) or (lambda *_: None))
    named = {}
    for row in rows:
        texts.clear()
        monkeypatch.setattr(compiled, "_shared", {})
        equality.compare(*arguments(row), variant=row["variant"])
        assert len(texts) == (1 if row["variant"] == "inference" else 2)
        named |= {f"{cases.title(row)} {i}": text for i, text in enumerate(texts)}
    cpp.assert_vectorised(cuda.joined(named), folder)


@cpp.compiled
@batches(PLAINS[::2])
def test_the_inner_loops_are_vectorised(rows, tmp_path, monkeypatch):
    check_vectorised(rows, tmp_path, monkeypatch)


@cpp.compiled
@pytest.mark.slow
@batches([*PLAINS[1::2], *LEARNED, *SAMPLE])
def test_all_inner_loops_are_vectorised(rows, tmp_path, monkeypatch):
    check_vectorised(rows, tmp_path, monkeypatch)


def on_cpp(net, xs, starts):
    """What the C++ kernel gives, in the order of the tests of CUDA."""
    # The operation finds a kernel only while it lives.
    net.kernel = compiled.CompiledKernel(net, CppTarget())
    params = list(tensors_of(net).values())
    outs, finals, traces = unroll(net.kernel.handle, xs, starts, params, (0,), net.outputs, AGAIN)
    return [*outs, *finals, *traces]


def as_cuda(row):
    model, *reset, surrogate, precision = arguments(row)
    return model, precision, reset, surrogate


def check_cuda(row, monkeypatch):
    monkeypatch.setattr(cuda, "eager", on_cpp)
    cuda.check(as_cuda(row))


@cpp.compiled
@pytest.mark.parametrize("row", PLAINS[::4], ids=cases.title)
def test_cuda_on_the_cpu_equals_cpp(row, monkeypatch):
    check_cuda(row, monkeypatch)


@cpp.compiled
@pytest.mark.slow
@pytest.mark.parametrize("row", SAMPLE, ids=cases.title)
def test_all_cuda_on_the_cpu_equals_cpp(row, monkeypatch):
    check_cuda(row, monkeypatch)


@cuda.compiles
@pytest.mark.slow
@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
@batches(SAMPLE)
def test_nvcc_compiles_without_spills(rows, arch, tmp_path):
    texts = {
        f"{cases.title(row)} {i}": text
        for row in rows
        for i, text in enumerate(cuda.sources(as_cuda(row)))
    }
    cuda.compiled_without_spills(cuda.joined(texts), tmp_path, arch)
