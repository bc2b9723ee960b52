"""Printed Triton kernels without a GPU: run by Triton's interpreter, compiled for two devices."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from snncore.kernels.capture import capture
from snncore.kernels.emit import triton as printer
from snncore.kernels.emit.passes import Variant
from snncore.kernels.ir import UNARY

pytest.importorskip(
    "triton", reason="triton is not installed; `pip install --no-deps triton` needs no GPU"
)

SCRIPT = Path(__file__).with_name("triton_cases.py")
# A test folder is no package, so its files are loaded by their paths.
_spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)
# Models with functions of which the interpreter's numpy gives other last bits.
ROUNDED = {"mixed"}


def interpret(folder, chosen):
    """What the cases give in a process whose Triton is the interpreter."""
    work = Path(folder)
    (work / "cases.json").write_text(json.dumps(chosen))
    (work / "texts").mkdir()
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), str(work)],
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return torch.load(work / "results.pt")


@pytest.fixture(scope="module")
def interpreted(tmp_path_factory):
    chosen = {cases.title(case): case for case in cases.SAMPLE} | cases.EXTRA | cases.SPECIAL
    return interpret(tmp_path_factory.mktemp("interpreted"), chosen)


def check(result, exact, tolerance):
    for a, b in result["values"]:
        assert torch.equal(a, b) if exact else torch.allclose(a, b, rtol=tolerance, atol=tolerance)
    for a, b in result["grads"]:
        if a is None:
            assert b is None or not b.any()
            continue
        scale = a.abs().max().clamp_min(1e-6)
        assert ((a - b).abs().max() / scale).item() <= tolerance


def check_case(result, case):
    check(result, case["model"] not in ROUNDED, 2e-6 if case["precision"] == "single" else 1e-10)


@pytest.mark.parametrize("case", cases.SAMPLE, ids=cases.title)
def test_a_sample_of_the_matrix_equals_eager(interpreted, case):
    check_case(interpreted[cases.title(case)], case)


@pytest.mark.slow
def test_the_whole_matrix_equals_eager(tmp_path):
    results = interpret(tmp_path, {cases.title(case): case for case in cases.MATRIX})
    for case in cases.MATRIX:
        check_case(results[cases.title(case)], case)


def test_the_sample_meets_every_pair_of_values():
    for one, other in itertools.combinations(cases.COLUMNS, 2):
        pairs = set(itertools.product(cases.COLUMNS[one], cases.COLUMNS[other]))
        assert {(case[one], case[other]) for case in cases.SAMPLE} == pairs
    assert len(cases.SAMPLE) < 30


@pytest.mark.parametrize("name", cases.EXTRA)
def test_shapes_layouts_and_missing_gradients(interpreted, name):
    check_case(interpreted[name], cases.EXTRA[name])


@pytest.mark.parametrize("surrogate", cases.SPECIAL)
def test_special_values_are_those_of_eager(interpreted, surrogate):
    result = interpreted[surrogate]
    for a, b in (*result["values"], *result["grads"]):
        assert torch.allclose(a, b, rtol=2e-6, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("precision", cases.TYPES)
@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt:RuntimeWarning")
def test_every_operation_is_torchs(interpreted, precision):
    x, y, results = interpreted["functions"][precision]
    expected = {name: getattr(torch, name)(x) for name in UNARY}
    # torch's own float64 root is not always the nearest.
    expected["sqrt"] = torch.from_numpy(np.sqrt(x.numpy()))
    expected |= {name: function(x, y) for name, function in cases.BINARY.items()}
    expected |= {name: f(x > 0, y > 0.5) for name, f in cases.LOGICAL.items() if name != "not"}
    expected |= {"not": ~(x > 0), "where": torch.where(x > 0, x, y)}
    expected["where flags"] = torch.where(x > 0, y > 0.5, ~(x > 0))
    expected["constants"] = torch.full_like(x, 0.1) - 1.0
    assert set(expected) == set(results)
    for name, got in results.items():
        right = expected[name].to(x.dtype)
        tolerance = 4 * torch.finfo(x.dtype).eps if name == "sigmoid" else 0.0
        assert torch.allclose(got, right, rtol=tolerance, atol=0.0, equal_nan=True), name
        if name not in ("sign", "max", "min"):
            numbers = ~right.isnan()
            assert torch.equal(got[numbers].signbit(), right[numbers].signbit()), name


def test_arithmetic_is_float32_for_narrow_arrays(interpreted):
    expected, got = interpreted["half"]
    assert torch.equal(expected, got)


WHOLE = {"b": "*u8", "i": "*i32", "l": "*i64"}


def offline(source, arch, folder, *, missing=(), narrow=(), stages=printer.STAGES):
    """The PTX of a kernel for a device that need not be here."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    real = "*fp64" if "tl.float64" in source.text else "*fp32"
    signature = {slot.name: WHOLE.get(slot.kind, real) for slot in source.slots}
    # torch's own flags, where those that a kernel keeps are bytes.
    flags = [slot.name for slot in source.slots if slot.kind == "b" and slot.role == "param"]
    signature |= dict.fromkeys(flags, "*i1")
    signature |= dict.fromkeys(missing, "constexpr") | {"numbers": "*fp64"}
    signature |= dict.fromkeys(narrow, "*bf16")
    numbers = ["T", "N", *(name for slot in source.slots for name in printer.sizes(slot))]
    signature |= dict.fromkeys(numbers, "i64")
    constants = {"WIDE": True, "BLOCK": printer.BLOCK, "STAGES": stages}
    signature |= dict.fromkeys(constants, "constexpr")
    compiled = triton.compile(
        ASTSource(
            cases.load(source.text, folder),
            signature,
            constants | dict.fromkeys(missing),
            # What a launch adds for arrays that begin at a multiple of 16 bytes.
            {(i,): [["tt.divisibility", 16]] for i in range(len(source.slots))},
        ),
        target=GPUTarget("cuda", arch, 32),
        options=printer.OPTIONS,
    )
    assert compiled.asm["cubin"]
    return compiled.asm["ptx"]


# The assembler parts with one double, stored and loaded, where that keeps more threads resident.
SPARED = 16


def spilled(ptx, folder):
    """Bytes that the assembler moves out of registers."""
    from triton.backends.nvidia.compiler import get_ptxas

    target = re.search(r"^\.target (\S+)", ptx, re.MULTILINE).group(1)
    (folder / "kernel.ptx").write_text(ptx)
    assembler = get_ptxas(int(re.sub(r"\D", "", target))).path
    command = [assembler, "-v", "--fmad=false", "--gpu-name", target]
    ran = subprocess.run(
        [*command, folder / "kernel.ptx", "-o", folder / "kernel.cubin"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(r"(\d+) bytes spill (?:stores|loads)", ran.stderr + ran.stdout)
    assert found
    return sum(map(int, found))


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    from triton import knobs

    if knobs.runtime.interpret:
        pytest.skip("TRITON_INTERPRET is set, and the interpreter compiles nothing")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def check_offline(case, arch, folder):
    _, captured, variant, _ = cases.prepare(case)
    for printed in (printer.forward, printer.backward):
        (folder / "texts").mkdir(exist_ok=True)
        ptx = offline(printed(captured, variant), arch, folder / "texts")
        assert spilled(ptx, folder) <= SPARED
        assert ".extern .func" not in ptx
        if case["model"] not in ROUNDED and case["surrogate"] in ("atan", "triangle"):
            # The library's own functions do contract; what is printed never does.
            assert "fma" not in ptx
            assert ".approx" not in ptx
            assert ".ftz" not in ptx
        yield ptx


@pytest.mark.parametrize("arch", [80, 90])
@pytest.mark.parametrize("model", ["learnt", "two-states", "mixed"])
def test_kernels_compile_for_devices(compiler, model, arch):
    for ptx in check_offline(cases.PLAIN | {"model": model}, arch, compiler):
        assert ".v2.b32" in ptx


@pytest.mark.slow
@pytest.mark.parametrize("arch", [80, 90])
def test_all_kernels_compile_for_devices(compiler, arch):
    for case in cases.SAMPLE:
        for ptx in check_offline(case, arch, compiler):
            assert ptx


@pytest.mark.parametrize("arch", [80, 90])
@pytest.mark.parametrize("precision", cases.TYPES)
def test_every_operation_compiles(compiler, precision, arch):
    (compiler / "texts").mkdir()
    _, captured, variant = cases.functions(precision)
    ptx = offline(printer.forward(captured, variant), arch, compiler / "texts")
    assert ".extern .func" not in ptx
    assert not re.search(r"(add|sub|mul|div|fma)\.r?.?\.?ftz", ptx)


def test_one_binary_serves_any_length(tmp_path):
    from triton.backends.compiler import GPUTarget
    from triton.compiler import make_backend
    from triton.runtime.jit import create_function_from_signature

    _, captured, variant, _ = cases.prepare(cases.PLAIN)
    source = printer.forward(captured, variant)
    kernel = cases.load(source.text, tmp_path)
    bind = create_function_from_signature(
        kernel.signature, kernel.params, make_backend(GPUTarget("cuda", 90, 32))
    )
    arrays = [torch.zeros(16) for _ in (*source.slots, "numbers")]
    count = sum(len(printer.sizes(slot)) for slot in source.slots)
    found = set()
    for steps, neurons in ((1, 1), (2, 16), (16, 2**20 + 1), (1000, 2**33)):
        numbers = [steps, neurons, *[neurons] * count]
        found.add(str(bind(*arrays, *numbers, WIDE=False, BLOCK=256, STAGES=1)[1]))
    assert len(found) == 1


def test_flags_are_kept_as_bytes():
    _, captured, variant, _ = cases.prepare(cases.PLAIN | {"model": "delayed"})
    slots = printer.forward(captured, variant).slots
    assert [slot.kind for slot in slots if slot.role == "save"].count("b") == 1


def test_a_missing_gradient_of_a_last_state_compiles(compiler):
    (compiler / "texts").mkdir()
    _, captured, variant, _ = cases.prepare(cases.PLAIN)
    source = printer.backward(captured, variant)
    assert offline(source, 80, compiler / "texts", missing=("gfinal0", "gfinal1"))


def test_stages_load_ahead_through_shared_memory(compiler):
    (compiler / "texts").mkdir()
    _, captured, variant, _ = cases.prepare(cases.PLAIN | {"model": "leaky"})
    for printed in (printer.forward, printer.backward):
        source = printed(captured, variant)
        plain, ahead = (offline(source, 90, compiler / "texts", stages=i) for i in (1, 3))
        assert "cp.async" not in plain
        assert "cp.async" in ahead


def test_narrow_arrays_are_rounded_to_nearest(compiler):
    (compiler / "texts").mkdir()
    _, captured, variant, _ = cases.prepare(cases.PLAIN)
    source = printer.forward(captured, variant)
    ptx = offline(source, 90, compiler / "texts", narrow=("x0", "out0", "trace0"))
    assert "cvt.rn.bf16" in ptx
    assert "add.rn.f32" in ptx
    assert not re.search(r"(add|sub|mul)\S*bf16", ptx)


def test_only_wanted_gradients_of_inputs_are_written():
    _, captured, variant, _ = cases.prepare(cases.PLAIN | {"model": "mixed"})
    source = printer.backward(captured, replace(variant, gx=(False, True)))
    assert [slot.name for slot in source.slots if slot.role == "gx"] == ["gx1"]


def test_constants_are_arguments_so_that_sweeps_share_a_text():
    texts, constants = set(), set()
    for tau in (2.5, 3.5):
        captured = capture(cases.Leaky(tau=tau), torch.Size((4,)), torch.float32)
        source = printer.forward(captured, Variant())
        texts.add(source.text)
        constants.add(source.constants)
    assert len(texts) == 1
    assert len(constants) == 2


def test_the_recompute_variant_is_refused():
    _, captured, variant, _ = cases.prepare(cases.PLAIN)
    for printed in (printer.forward, printer.backward):
        with pytest.raises(
            ValueError, match=r"with recompute=False and marks=False, whose forward stores"
        ):
            printed(captured, replace(variant, recompute=True))
