"""Kernels of every registered neuron against eager autograd, in buffers poisoned with NaN."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import pytest
import torch

from snncore.kernels import pool
from snncore.kernels.cpp import CppBackend

_spec = importlib.util.spec_from_file_location(
    "kernel_cases", Path(__file__).with_name("kernel_cases.py")
)
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)

equality = cases.load(cases.CORE / "test_equality.py")
equality.MODELS, equality.ROUNDED = cases.models(), cases.Rounded()

pytestmark = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)
COLUMNS = cases.columns(equality.WAYS)
SAMPLE = cases.covering(COLUMNS)


@pytest.fixture(autouse=True)
def poisoned(monkeypatch):
    """What a kernel forgets to write shows."""
    inner = pool.empty

    def empty(shape, dtype):
        return inner(shape, dtype).fill_(torch.nan if dtype.is_floating_point else 255)

    monkeypatch.setattr(pool, "empty", empty)


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
@pytest.mark.parametrize("part", range(20))
def test_every_pair_equals_eager(part):
    for seed, row in enumerate(cases.every_pair(COLUMNS)[part::20]):
        check(row, seed)


@pytest.mark.slow
def test_only_pairs_of_neuron_and_surrogate_are_left_out():
    rows = cases.every_pair(COLUMNS)
    for one, other in itertools.combinations(COLUMNS, 2):
        if {one, other} != {"model", "surrogate"}:
            pairs = set(itertools.product(COLUMNS[one], COLUMNS[other]))
            assert {(row[one], row[other]) for row in rows} == pairs
    for name in cases.neurons():
        assert len({row["surrogate"] for row in rows if row["model"] == name}) >= 3


def test_the_sample_meets_every_value_and_every_pair_of_short_columns():
    for name, values in COLUMNS.items():
        assert {row[name] for row in SAMPLE} == set(values)
    columns = cases.short(COLUMNS)
    assert {"v_reset", "detach_reset", "precision", "variant", "store_v_seq"} <= set(columns)
    for one, other in itertools.combinations(columns, 2):
        pairs = set(itertools.product(COLUMNS[one], COLUMNS[other]))
        assert {(row[one], row[other]) for row in SAMPLE} == pairs
    # Each row compiles a forward and a backward at most.
    assert 2 * len(SAMPLE) <= 150


def test_a_sample_of_short_columns_meets_every_pair():
    table = {"a": (1, 2, 3), "b": (True, False), "c": tuple("xyzw")}
    sample = cases.covering(table)
    assert len(sample) == 12
    for one, other in itertools.combinations(table, 2):
        pairs = set(itertools.product(table[one], table[other]))
        assert {(row[one], row[other]) for row in sample} == pairs


def test_poison_reaches_the_kernels():
    assert pool.empty((2,), torch.float32).isnan().all()
    assert pool.empty((1 << 21,), torch.float32).isnan().all()


def test_registered_neurons_and_surrogates_are_found():
    assert {"snn-neurons/lif", "snn-neurons/alif"} <= set(COLUMNS["model"])
    assert {"snncore/atan", "snn-neurons/multi_level_spike_count"} <= set(COLUMNS["surrogate"])
    # No kernel draws random numbers.
    assert "snn-neurons/poisson_pass" not in COLUMNS["surrogate"]
