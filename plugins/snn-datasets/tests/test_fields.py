from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from snn_datasets import FormatError, make_events
from snn_datasets.fields import fields


def test_columns_of_the_platforms_events_are_read_only_views() -> None:
    events = make_events(t=[5, 9], x=[0, 1], y=[2, 3], p=[1, 0])
    columns = fields(events)
    assert [column.tolist() for column in columns] == [[5, 9], [0, 1], [2, 3], [1, 0]]
    for column in columns:
        assert np.shares_memory(column, events)
        assert not column.flags.writeable
    assert events.flags.writeable


def test_other_dtypes_are_found_by_name_and_copied() -> None:
    dtype = [("p", "?"), ("x", ">u2"), ("more", "f8"), ("t", "<u4"), ("y", "i1")]
    events = np.array([(True, 40000, 0.5, 7, 3)], dtype)
    columns = fields(events)
    assert [column.tolist() for column in columns] == [[7], [40000], [3], [1]]
    assert {column.dtype for column in columns} == {np.dtype(np.int64)}


def of(**types: str) -> np.ndarray[Any, Any]:
    return np.zeros(3, [(name, types.get(name, "i4")) for name in "txyp"])


@pytest.mark.parametrize(
    ("events", "text"),
    [
        (np.zeros((3, 4)), r"need the fields t, x, y, p; t, x, y, p missing in float64"),
        (of()[["t", "x", "p"]], r"need the fields t, x, y, p; y missing in "),
        (of(t="f8"), r"events have times of type float64; expected are integer microseconds"),
        (of(x="f4"), r"events have x of type float32; expected are integers"),
        (of(p="f4"), r"have polarities of type float32; expected are integers or booleans"),
        (of(y="?"), r"events have y of type bool; expected are integers"),
        (of().reshape(3, 1), r"events have the shape \(3, 1\), expected is one dimension"),
        (make_events(t=[[1]], x=[[1]], y=[[1]], p=[[1]]), r"the shape \(1, 1\), expected is one"),
    ],
)
def test_what_is_no_array_of_events_is_explained(events: Any, text: str) -> None:
    with pytest.raises(FormatError, match=text):
        fields(events)
