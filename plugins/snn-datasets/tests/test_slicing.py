from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from snn_datasets import FormatError, frames, make_events

W, H = 5, 3
fixed = settings(derandomize=True, deadline=None)


@st.composite
def recordings(draw: st.DrawFn, largest: int = 60) -> np.ndarray[Any, Any]:
    n = draw(st.integers(0, largest))
    column = lambda top: draw(hnp.arrays(np.int64, n, elements=st.integers(0, top)))  # noqa: E731
    start = draw(st.integers(-(2**40), 2**40))
    return make_events(
        t=start + np.sort(column(draw(st.sampled_from([0, 3, 50, 10**6])))),
        x=column(W - 1),
        y=column(H - 1),
        p=column(1),
    )


def slice_of(events: np.ndarray[Any, Any], left: int, right: int) -> np.ndarray[Any, Any]:
    """The frame of the index range [left, right), event by event."""
    frame = np.zeros((2, H, W), np.float32)
    for i in range(left, right):
        frame[events["p"][i], events["y"][i], events["x"][i]] += 1
    return frame


@fixed
@given(recordings(), st.integers(1, 70))
def test_by_count_equals_the_index_ranges_of_the_paper(
    events: np.ndarray[Any, Any], T: int
) -> None:
    n = len(events) // T
    ranges = [(n * j, n * (j + 1) if j < T - 1 else len(events)) for j in range(T)]
    expected = np.stack([slice_of(events, *ends) for ends in ranges])
    np.testing.assert_array_equal(frames(events, size=(W, H), T=T), expected)


@fixed
@given(recordings(), st.integers(1, 70))
def test_by_time_equals_the_index_ranges_of_the_paper(events: np.ndarray[Any, Any], T: int) -> None:
    t = events["t"].tolist()
    width = (t[-1] - t[0]) // T if t else 0
    ranges: list[tuple[int, int]] = []
    for j in range(T):
        # No event at or after the left end, or none before the right one: an empty slice.
        left = min((k for k in range(len(t)) if t[k] >= t[0] + width * j), default=len(t))
        last = max((k for k in range(len(t)) if t[k] < t[0] + width * (j + 1)), default=-1)
        ranges.append((left, last + 1 if j < T - 1 else len(t)))
    expected = np.stack([slice_of(events, *ends) for ends in ranges])
    np.testing.assert_array_equal(frames(events, size=(W, H), T=T, by="time"), expected)


@fixed
@given(recordings(), st.integers(1, 200))
def test_by_duration_equals_the_floor_of_each_event(
    events: np.ndarray[Any, Any], share: int
) -> None:
    t = events["t"].tolist()
    span = t[-1] - t[0] if t else 0
    duration = max(1, span // share)
    T = -(-span // duration) if span else min(len(t), 1)
    expected = np.zeros((T, 2, H, W), np.float32)
    for i, time in enumerate(t):
        j = min((time - t[0]) // duration, T - 1)
        expected[j] += slice_of(events, i, i + 1)
    np.testing.assert_array_equal(frames(events, size=(W, H), duration_us=duration), expected)


@fixed
@given(recordings(), st.integers(1, 400), st.sampled_from(["count", "time"]))
def test_every_event_is_counted_once(events: np.ndarray[Any, Any], T: int, by: Any) -> None:
    before = events.copy()
    result = frames(events, size=(W, H), T=T, by=by)
    assert result.shape == (T, 2, H, W)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result.sum(0), slice_of(events, 0, len(events)))
    np.testing.assert_array_equal(events, before)


def test_the_event_at_the_end_joins_the_last_frame_of_an_exact_multiple() -> None:
    events = make_events(t=[0, 10, 20, 30], x=[0] * 4, y=[0] * 4, p=[0] * 4)
    assert frames(events, size=(1, 1), duration_us=10).sum((1, 2, 3)).tolist() == [1, 1, 2]


def test_axes_are_time_polarity_row_column() -> None:
    events = make_events(t=[0, 100], x=[4, 1], y=[2, 0], p=[1, 0])
    result = frames(events, size=(W, H), T=2)
    assert np.argwhere(result).tolist() == [[0, 1, 2, 4], [1, 0, 0, 1]]


def test_times_beyond_32_bits_stay_exact() -> None:
    start = 2**62
    events = make_events(t=[start, start + 3], x=[0, 0], y=[0, 0], p=[0, 0])
    assert frames(events, size=(1, 1), T=2, by="time").ravel().tolist() == [1, 0, 1, 0]


def test_columns_are_found_by_name_and_may_be_bool_or_unsigned() -> None:
    dtype = [("p", "?"), ("x", "<u2"), ("t", "<u8"), ("y", "<u2")]
    events = np.array([(True, 1, 5, 2), (False, 0, 6, 0)], dtype)
    result = frames(events, size=(W, H), T=1)
    assert np.argwhere(result).tolist() == [[0, 0, 0, 0], [0, 1, 2, 1]]


EVENTS = make_events(t=[0, 1], x=[0, 0], y=[0, 0], p=[0, 0])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, r"either T .* or duration_us .*, got T=None and duration_us=None"),
        ({"T": 2, "duration_us": 5}, r"got T=2 and duration_us=5"),
        ({"T": 0}, r"T must be at least 1, got 0"),
        ({"duration_us": -3}, r"duration_us must be at least 1, got -3"),
        ({"T": 2, "by": "events"}, r"by must be 'count' or 'time', got 'events'"),
    ],
)
def test_a_wrong_rule_is_explained(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        frames(EVENTS, size=(W, H), **arguments)


@pytest.mark.parametrize(
    ("events", "text"),
    [
        (
            make_events(t=[5, 9, 7], x=[0] * 3, y=[0] * 3, p=[0] * 3),
            r"times descend from 9 us to 7 us at event 2; sort the events first",
        ),
        (
            make_events(t=[0, 1, 2], x=[0, 5, 9], y=[0] * 3, p=[0] * 3),
            r"event 1 has x=5, y=0, p=0, which is off a sensor of 5 x 3 pixels with 2 polarities "
            r"\(2 such events\)",
        ),
        (make_events(t=[0], x=[0], y=[0], p=[2]), r"event 0 has x=0, y=0, p=2"),
        (make_events(t=[0], x=[-1], y=[0], p=[0]), r"event 0 has x=-1"),
        (np.zeros(3, [("t", "f8"), ("x", "i2"), ("y", "i2"), ("p", "u1")]), r"integer microsec"),
        (np.zeros((3, 4)), r"need the fields t, x, y, p; t, x, y, p missing in float64"),
    ],
)
def test_wrong_events_are_explained(events: np.ndarray[Any, Any], text: str) -> None:
    with pytest.raises(FormatError, match=text):
        frames(events, size=(W, H), T=2)
