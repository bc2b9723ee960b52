"""docs/components.md is what its generator makes now, and nothing is missing on it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

import snncore

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "docs" / "generate_components.py"
pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="no docs beside these tests")
COLUMNS = ("what it is", "component", "equation", "source", "tests")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("generate_components", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def rows(script):
    return list(script.rows())


def test_the_page_is_up_to_date(script):
    assert script.PAGE.read_text("utf-8") == script.page(), (
        "docs/components.md is stale; run `python docs/generate_components.py`"
    )


def test_no_cell_is_empty(rows):
    empty = [
        f"{row.term}: {column}"
        for row in rows
        for column, cell in zip(COLUMNS, row.cells(), strict=True)
        if not cell.strip()
    ]
    assert empty == []


def test_every_registered_component_has_a_row(script, rows):
    """Of the kinds that the page shows; beside them third parties may have installed others."""
    shown = {(c.kind, c.qualified) for row in rows for c in row.components}
    kinds, providers = {kind for kind, _ in shown}, script.ours()
    registered = {
        (c.kind, c.qualified)
        for c in snncore.components()
        if c.kind in kinds and c.provider in providers
    }
    assert kinds == {"neuron", "surrogate", "encoder", "layer", "quantizer", "monitor"}
    assert registered - shown == set(), "add a row to docs/components.toml"
    assert shown == registered


def test_every_component_has_one_row(rows):
    names = [(c.kind, c.qualified) for row in rows for c in row.components]
    assert len(names) == len(set(names))
    terms = [(row.kind, row.term) for row in rows]
    assert all(term == terms[i - 1] or term not in terms[:i] for i, term in enumerate(terms))


def test_the_tests_name_what_they_test(script, rows):
    silent = [
        f"{test} does not name {row.words[-1]}"
        for row in rows
        for test in row.tests
        if not script.named_in((ROOT / test).read_text("utf-8"), row.words)
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("from snn_neurons import LIF, PLIF", True),
        ("PLIF(2.0)", False),
        ("snn.build('neuron', 'lif')", True),
        ("a lif in prose", False),
        ("component = 'snn-neurons/lif'", True),
        ("component = 'snn-neurons/lif_two'", False),
        ("nn.LIF", False),
    ],
)
def test_what_counts_as_naming(script, text, named):
    assert script.named_in(text, ("LIF", "lif", "snn-neurons/lif")) is named


def test_the_tests_are_files_of_the_default_suite(rows):
    for row in rows:
        for test in row.tests:
            assert (ROOT / test).is_file(), test
            assert Path(test).name.startswith("test_")
