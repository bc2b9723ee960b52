"""Kernels of every registered neuron against eager autograd, in buffers poisoned with NaN."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import pytest
import torch

from snncore.kernels import pool
from snncore.kernels.capture import capture
from snncore.kernels.cpp import CppBackend
from snncore.kernels.ir import needed

_spec = importlib.util.spec_from_file_location(
    "kernel_cases", Path(__file__).with_name("kernel_cases.py")
)
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)

equality = cases.load(cases.CORE / "test_equality.py")
equality.MODELS = cases.models()

pytestmark = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)
COLUMNS = cases.columns(equality.WAYS)
SAMPLE = cases.covering(COLUMNS)
# Functions that libraries compute with other last bits.
ROUNDED = {"exp", "expm1", "log", "log1p", "tanh", "sigmoid", "sin", "cos", "atan", "erf", "erfc"}
ROUNDED |= {"pow"}


@pytest.fixture(autouse=True)
def poisoned(monkeypatch):
    """What a kernel forgets to write shows."""
    inner = pool.empty

    def empty(shape, dtype):
        return inner(shape, dtype).fill_(torch.nan if dtype.is_floating_point else 255)

    monkeypatch.setattr(pool, "empty", empty)


def rounds(model):
    """Whether a step has functions whose last bits are free."""
    net = cases.make(model)
    captured = capture(net, torch.Size(cases.SHAPE), torch.float32)
    return any(node.op in ROUNDED for node in needed(captured.values))


@pytest.fixture(scope="module", autouse=True)
def rounded():
    equality.ROUNDED = {model for model in equality.MODELS if rounds(model)}


def check(row, seed=0):
    states = list(cases.make(row["model"]).states)
    equality.check(
        tuple(row[c] for c in ("model", "v_reset", "detach_reset", "surrogate", "precision")),
        variant=row["variant"],
        record=(states.index("v"),) if row["store_v_seq"] and "v" in states else (),
        seed=seed,
    )


@pytest.mark.parametrize("row", SAMPLE, ids=cases.title)
def test_a_kernel_equals_eager(row):
    check(row, SAMPLE.index(row))


@pytest.mark.slow
@pytest.mark.parametrize("surrogate", COLUMNS["surrogate"])
@pytest.mark.parametrize("model", cases.neurons())
def test_the_whole_matrix_equals_eager(model, surrogate):
    table = COLUMNS | {"model": (model,), "surrogate": (surrogate,)}
    for seed, values in enumerate(itertools.product(*table.values())):
        check(dict(zip(table, values, strict=True)), seed)


def test_the_sample_meets_every_pair_of_values():
    for one, other in itertools.combinations(COLUMNS, 2):
        pairs = set(itertools.product(COLUMNS[one], COLUMNS[other]))
        assert {(row[one], row[other]) for row in SAMPLE} == pairs
    # Each row compiles a forward and a backward at most.
    assert 2 * len(SAMPLE) <= 150


def test_poison_reaches_the_kernels():
    assert pool.empty((2,), torch.float32).isnan().all()
    assert pool.empty((1 << 21,), torch.float32).isnan().all()


def test_registered_neurons_are_found():
    assert {"snn-neurons/lif", "snn-neurons/alif"} <= set(COLUMNS["model"])
