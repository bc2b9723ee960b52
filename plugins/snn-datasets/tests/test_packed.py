from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_datasets import FormatError, make_events
from snn_datasets.compiled import use
from snn_datasets.events import EVENT
from snn_datasets.packed import check_words, columns_of, fits, pack, unpack

fixed = settings(derandomize=True, deadline=None)
both_ways = pytest.mark.parametrize("numba", [True, False])


@st.composite
def recordings(draw: st.DrawFn, span: int = 2**32 - 1) -> np.ndarray[Any, Any]:
    start = draw(st.integers(-(2**62), 2**62))
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, span).map(lambda t: t + start),
                st.integers(0, 2**15 - 1),
                st.integers(0, 2**15 - 1),
                st.integers(0, 1),
            ),
            max_size=30,
        )
    )
    return np.array(rows, EVENT)


@both_ways
@fixed
@given(events=recordings())
def test_words_hold_the_bits_that_the_page_says(numba: bool, events: Any) -> None:
    rows = events.tolist()
    t0 = min((t for t, *_ in rows), default=0)
    with use(numba):
        words = pack(events)
        assert words.dtype == np.uint64
        assert words.tolist() == [(t - t0) << 32 | y << 17 | x << 1 | p for t, x, y, p in rows]
        np.testing.assert_array_equal(unpack(words, t0=t0), events)
    assert [tuple(row) for row in np.transpose(columns_of(words)).tolist()] == [
        (t - t0, x, y, p) for t, x, y, p in rows
    ]
    assert fits(events)


@both_ways
@fixed
@given(events=recordings(span=2**62))
def test_two_words_hold_long_recordings(numba: bool, events: Any) -> None:
    rows = events.tolist()
    t0 = min((t for t, *_ in rows), default=0)
    with use(numba):
        words = pack(events, wide=True)
        assert words.tolist() == [[t - t0, y << 33 | x << 1 | p] for t, x, y, p in rows]
        np.testing.assert_array_equal(unpack(words, t0=t0), events)
    assert [tuple(row) for row in np.transpose(columns_of(words)).tolist()] == [
        (t - t0, x, y, p) for t, x, y, p in rows
    ]
    assert fits(events) == (max((t - t0 for t, *_ in rows), default=0) < 2**32)


WIDER = np.dtype([("p", "?"), ("x", "<u4"), ("t", "<i8"), ("y", "<i4")], align=True)


@both_ways
def test_the_extremes_of_both_layouts(numba: bool) -> None:
    with use(numba):
        narrow = np.array([(True, 2**16 - 1, 2**32 - 1 + 7, 2**15 - 1)], WIDER)
        assert pack(narrow, t0=7).tolist() == [2**64 - 1]
        wide = np.array([(True, 2**32 - 1, 2**63 - 1, 2**31 - 1)], WIDER)
        assert pack(wide, t0=0, wide=True).tolist() == [[2**63 - 1, 2**64 - 1]]
        with pytest.raises(FormatError, match=r"reach x=65535; arrays of events hold up to 32767"):
            unpack(pack(narrow))
        with pytest.raises(FormatError, match=r"reach x=4294967295; arrays of events hold up to"):
            unpack(pack(wide, wide=True))


@both_ways
@pytest.mark.parametrize(
    ("field", "value", "wide", "text"),
    [
        ("t", 2**32, False, r"event 1 has t = 4294967296; a word holds t from 0 to 4294967295 \(1"),
        ("t", 2**32, False, r"pack with wide=True$"),
        ("t", -1, False, r"event 1 has t = -1; a word holds t from 0 to 4294967295 \(1 such event"),
        ("t", -1, True, r"event 1 has t = -1; two words hold t from 0 to 9223372036854775807 \(1"),
        ("x", 2**16, False, r"event 1 has x = 65536; a word holds x from 0 to 65535 .*wide=True$"),
        ("x", 2**32, True, r"event 1 has x = 4294967296; two words hold x from 0 to 4294967295"),
        ("x", -1, False, r"event 1 has x = -1; a word holds x from 0 to 65535 \(1 such events\)$"),
        ("y", 2**15, False, r"event 1 has y = 32768; a word holds y from 0 to 32767 .*wide=True$"),
        ("y", 2**31, True, r"event 1 has y = 2147483648; two words hold y from 0 to 2147483647"),
        ("p", 2, False, r"event 1 has p = 2; a word holds p from 0 to 1 \(1 such events\)$"),
    ],
)
def test_what_does_not_fit_is_named(
    numba: bool, field: str, value: int, wide: bool, text: str
) -> None:
    events = np.zeros(3, [("t", "<i8"), ("x", "<i8"), ("y", "<i8"), ("p", "<i8")])
    events[field][1] = value
    with use(numba), pytest.raises(FormatError, match=text):
        pack(events, t0=0, wide=wide)


def test_what_holds_no_words_is_refused() -> None:
    for wrong in (np.zeros(3, np.int64), np.zeros((3, 3), np.uint64), np.zeros((2, 2, 2), "u8")):
        with pytest.raises(FormatError, match=r"packed events are uint64 of shape \[N\] or \[N, 2"):
            check_words(wrong)


def test_the_words_of_a_map_are_not_copied(tmp_path: Any) -> None:
    events = make_events(t=[5, 9], x=[0, 1], y=[2, 2], p=[1, 0])
    pack(events).tofile(tmp_path / "words")
    words = np.memmap(tmp_path / "words", np.uint64, "r")
    assert np.shares_memory(check_words(words), words)
    np.testing.assert_array_equal(unpack(words, t0=5), events)
