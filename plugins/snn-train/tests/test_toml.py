from __future__ import annotations

import signal
import tomllib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snn_train.toml import dumps

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_VALUES = st.recursive(
    st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | _TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner),
    max_leaves=12,
)


@given(st.dictionaries(_TEXT, _VALUES))
def test_what_is_written_is_read_back(table: dict[str, Any]):
    assert tomllib.loads(dumps(table)) == table


def test_subclasses_of_numbers_are_written_as_numbers():
    table = {"lr": np.float64(0.1), "top": np.float64("inf"), "signal": signal.SIGINT}
    assert tomllib.loads(dumps(table)) == {"lr": 0.1, "top": float("inf"), "signal": 2}


def test_none_is_written_as_a_text():
    assert tomllib.loads(dumps({"a": None, "b": {"c": None}})) == {"a": "none", "b": {"c": "none"}}


def test_other_values_are_refused_by_name():
    with pytest.raises(TypeError, match=r"model\.neuron is a object; texts, numbers, bool"):
        dumps({"model": {"neuron": object()}})
