from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_datasets import EVENT, FormatError, TimeSurface, make_events, pack

W, H = 3, 2
fixed = settings(derandomize=True, deadline=None, max_examples=60)
Events = np.ndarray[Any, Any]


@st.composite
def recordings(draw: st.DrawFn) -> Events:
    start, span = draw(st.integers(-(2**40), 2**40)), draw(st.sampled_from([0, 5, 300]))
    rows = st.tuples(
        st.integers(start, start + span),
        st.integers(0, W - 1),
        st.integers(0, H - 1),
        st.integers(0, 1),
    )
    return np.array(sorted(draw(st.lists(rows, max_size=20))), EVENT)


def surface(events: Events, end: int, tau: float, linear: bool) -> Events:
    """What the events leave at a time, pixel by pixel."""
    result = np.zeros((2, H, W))
    for time, x, y, p in events.tolist():
        age = (end - time) / tau
        result[p, y, x] = max(0.0, 1 - age) if linear else math.exp(-age)
    return result


def compare(events: Events, ends: list[tuple[int, int]], **rule: Any) -> None:
    """``ends``: how many events have been there, and the time, at the end of each slice."""
    before = events.copy()
    for linear in (False, True):
        expected = np.array([surface(events[:n], t, 50, linear) for n, t in ends])
        integrate = TimeSurface(**rule, tau_us=50, decay="linear" if linear else "exponential")
        for form in (events, pack(events)):
            result = integrate(form, (W, H))
            assert result.dtype == np.float32
            np.testing.assert_allclose(result, expected.reshape(-1, 2, H, W), rtol=1e-6)
    np.testing.assert_array_equal(events, before)


@fixed
@given(recordings(), st.integers(1, 8))
def test_at_the_ends_of_equal_spans_of_time(events: Events, T: int) -> None:
    t = events["t"].tolist() or [0]
    width = (t[-1] - t[0]) // T
    ends = [t[0] + width * (j + 1) for j in range(T - 1)] + [t[-1]]
    seen = [sum(time < end for time in events["t"].tolist()) for end in ends[:-1]] + [len(events)]
    compare(events, list(zip(seen, ends, strict=True)), T=T, by="time")


@fixed
@given(recordings(), st.integers(1, 8))
def test_at_every_so_many_events(events: Events, count: int) -> None:
    t = events["t"].tolist()
    seen = list(range(count, len(t), count)) + [len(t)] * bool(t)
    compare(events, [(n, t[n - 1]) for n in seen], count=count)


@fixed
@given(recordings(), st.integers(5, 60))
def test_at_the_ends_of_durations(events: Events, duration: int) -> None:
    t = events["t"].tolist()
    number = max(-(-(t[-1] - t[0]) // duration), 1) if t else 0
    ends = [t[0] + duration * (j + 1) for j in range(number)]
    seen = [sum(time < end for time in t) for end in ends]
    if seen:
        seen[-1] = len(t)
    compare(events, list(zip(seen, ends, strict=True)), duration_us=duration)


def test_slices_without_events_so_far_are_dark() -> None:
    events = make_events(t=[0, 1], x=[0, 1], y=[0, 0], p=[1, 0])
    result = TimeSurface(T=4, tau_us=10)(events, (W, H))
    assert np.argwhere(result).tolist() == [[3, 0, 0, 1], [3, 1, 0, 0]]
    assert TimeSurface(T=4, tau_us=10)(events[:0], (W, H)).shape == (4, 2, H, W)
    assert TimeSurface(count=4, tau_us=10)(events[:0], (W, H)).shape == (0, 2, H, W)


def test_what_is_dropped_leaves_no_trace() -> None:
    events = make_events(t=[0, 10, 15], x=[0, 1, 2], y=[0, 0, 0], p=[0, 0, 0])
    result = TimeSurface(duration_us=10, tau_us=10, decay="linear", drop_last=True)(events, (W, H))
    assert result[:, 0, 0].tolist() == [[0, 0, 0]]
    result = TimeSurface(duration_us=10, tau_us=20, decay="linear")(events, (W, H))
    assert result[:, 0, 0].tolist() == [[0.5, 0, 0], [0, 0.5, 0.75]]


def test_wrong_input_is_explained() -> None:
    for tau in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"TimeSurface: tau_us must be above 0 and at most 2"):
            TimeSurface(T=2, tau_us=tau)
    with pytest.raises(ValueError, match=r"decay must be 'exponential' or 'linear', got 'none'"):
        TimeSurface(T=2, tau_us=1, decay="none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^TimeSurface needs either T "):
        TimeSurface(tau_us=1)
    falling = make_events(t=[5, 3], x=[0, 0], y=[0, 0], p=[0, 0])
    with pytest.raises(FormatError, match=r"times descend from 5 us to 3 us at event 1"):
        TimeSurface(T=2, tau_us=1)(falling, (W, H))
