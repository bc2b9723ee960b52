"""Triton kernels of every registered neuron without a GPU."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip(
    "triton", reason="triton is not installed; `pip install --no-deps triton` needs no GPU"
)

_spec = importlib.util.spec_from_file_location(
    "kernel_cases", Path(__file__).with_name("kernel_cases.py")
)
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)

triton = cases.load(cases.CORE / "test_triton.py")
triton.SCRIPT = Path(__file__).with_name("triton_neurons.py")
triton.cases.MODELS.update(cases.models())
triton.ROUNDED = cases.Rounded()
compiler = triton.compiler

COLUMNS = cases.columns(("keep",))
del COLUMNS["variant"], COLUMNS["store_v_seq"]
SAMPLE = cases.covering(COLUMNS)

pytestmark = pytest.mark.slow


def test_the_interpreter_equals_eager(tmp_path):
    results = triton.interpret(tmp_path, {cases.title(row): row for row in SAMPLE})
    for row in SAMPLE:
        triton.check_case(results[cases.title(row)], row)


@pytest.mark.parametrize("arch", [80, 90])
@pytest.mark.parametrize("row", SAMPLE, ids=cases.title)
def test_devices_get_binaries_without_spills(row, arch, compiler):
    assert all(triton.check_offline(row, arch, compiler))
