"""The page about other libraries covers all that is registered; `make peers` checks its numbers."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

import snncore as snn

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "peers.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="no page beside these tests")
LIBRARIES = ("spikingjelly", "snntorch", "norse", "sinabs")


def sections() -> dict[str, list[list[str]]]:
    """The rows of the table under each heading."""
    found = {}
    for section in PAGE.read_text().split("\n## ")[1:]:
        heading, *lines = section.splitlines()
        rows = [line[2:-2].split(" | ") for line in lines if line.startswith("| ")]
        found[heading] = [[cell.replace("\\|", "|") for cell in row] for row in rows[2:]]
    return found


@pytest.fixture
def tables(monkeypatch):
    """What is compared, without the libraries that it is compared with."""
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "peers"))
    for name in LIBRARIES:
        monkeypatch.setitem(sys.modules, name, None)
    before = set(sys.modules)
    yield importlib.import_module("oracle.tables"), importlib.import_module("oracle.alone")
    for name in set(sys.modules) - before:
        if name.split(".")[0] == "oracle":
            del sys.modules[name]


def names(kind: str) -> set[str]:
    ours = ("snncore", "snn-neurons")
    return {c.name for c in snn.components(kind) if c.provider in ours}


@pytest.mark.parametrize(
    ("kind", "heading", "alone"),
    [("neuron", "Neurons", "NEURONS"), ("surrogate", "Surrogates", "SURROGATES")],
)
def test_everything_is_compared_or_ours_alone(tables, kind, heading, alone):
    shown = sections()
    compared = {row[0].strip("`") for row in shown[heading]}
    single = {row[0].split("`")[1] for row in shown["Ours alone"] if row[0].startswith(kind)}
    assert compared | single == names(kind), "add a pair or say why there is none; `make peers`"
    assert not compared & single
    assert single == set(getattr(tables[1], alone))


def test_the_page_has_the_rows_of_the_tables(tables):
    oracle, _ = tables
    shown = sections()
    rows = [row for heading, found in shown.items() for row in found]
    agreements = {(row[0].strip("`"), row[1].split("`")[1]) for row in rows if len(row) == 6}
    assert agreements == {(p.name, p.theirs) for p in (*oracle.pairs(), *oracle.curves())}
    wanted = {(f"{d.kind} `{d.name}`", d.words) for d in oracle.differences()}
    assert {(row[0], row[2]) for row in shown["Differences"]} == wanted


def test_the_page_shows_no_disagreement(tables):
    far = [row for found in sections().values() for row in found if len(row) == 6]
    assert far
    assert all(float(row[-1]) <= 1e-5 for row in far)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"tau": 2.001},
        {"v_threshold": 1.001},
        {"v_reset": 0.001},
        {"v_reset": None},
        {"decay_input": False},
        {"detach_reset": True},
        {"surrogate": "erf"},
    ],
)
def test_the_comparison_sees_a_change(tables, change):
    """Of our neuron with itself, as it needs no other library."""
    compare = importlib.import_module("oracle.comparison")
    side = importlib.import_module("oracle.side")
    pair = importlib.import_module("oracle.pair").Pair(
        kind="neuron",
        name="lif",
        library="norse",
        theirs="ours",
        ours=lambda settings: side.neuron("lif", settings),
        peer=lambda settings, leaves: side.neuron("lif", {**settings, **change}),
        start={"v": (-0.6, 0.8)},
    )
    found = compare.compare(pair, {})
    far = {name for name, far in found.apart.items() if far > compare.TOLERANCE}
    assert bool(far) == bool(change)
    assert found.alive == {"output", "v", "gradient of input", "gradient of initial v"}
    if change.keys() & {"detach_reset", "surrogate"}:
        assert far == {"gradient of input", "gradient of initial v"}
