from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snncore.cli.failure import WrongUsage
from snncore.cli.settings import merge, parse


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("tau=3", {"tau": 3}),
        ("tau = 0.5", {"tau": 0.5}),
        ("neuron.tau=3", {"neuron": {"tau": 3}}),
        ("learn=true", {"learn": True}),
        ("sizes=[3, 4]", {"sizes": [3, 4]}),
        ('neuron={name="lif", tau=3}', {"neuron": {"name": "lif", "tau": 3}}),
        ("neuron=lif", {"neuron": "lif"}),
        ('neuron="lif"', {"neuron": "lif"}),
        ("neuron=snn-neurons/lif", {"neuron": "snn-neurons/lif"}),
        ("text=a=b", {"text": "a=b"}),
        ("empty=", {"empty": ""}),
        ("root=runs/one two", {"root": "runs/one two"}),
        ("x=1\ny=2", {"x": "1\ny=2"}),
    ],
)
def test_words(word: str, expected: dict) -> None:
    assert parse([word]) == expected


def test_later_words_win_and_tables_join() -> None:
    assert parse(["n.tau=3", "n.v=1", "n.tau=4", "m=2"]) == {"n": {"tau": 4, "v": 1}, "m": 2}


@pytest.mark.parametrize("word", ["tau", "=3", "a..b=3", "a b=3", ".=1"])
def test_words_that_are_no_settings(word: str) -> None:
    with pytest.raises(WrongUsage, match=r"--set expects key=value, as in --set neuron\.tau=3"):
        parse([word])


@settings(deadline=None)
@given(st.floats(allow_nan=False) | st.integers(-(2**60), 2**60) | st.booleans())
def test_plain_values_survive(value: float | int | bool) -> None:
    text = json.dumps(value) if not (isinstance(value, float) and math.isinf(value)) else f"{value}"
    assert parse([f"x={text}"]) == {"x": value}


_tables = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers(), min_size=1, max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from("abc"), inner | st.integers(), min_size=1, max_size=3
    ),
    max_leaves=6,
)


def leaves(table: dict, path: str = "") -> dict[str, int]:
    flat: dict[str, int] = {}
    for key, value in table.items():
        flat |= leaves(value, path + key) if isinstance(value, dict) else {path + key: value}
    return flat


@settings(deadline=None)
@given(_tables, _tables)
def test_merging_keeps_all_that_is_not_overridden(below: dict, above: dict) -> None:
    before = json.dumps([below, above])
    found, new = leaves(merge(below, above)), leaves(above)
    kept = {
        path: value
        for path, value in leaves(below).items()
        if not any(path.startswith(other) or other.startswith(path) for other in new)
    }
    assert found == kept | new
    assert json.dumps([below, above]) == before
