from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_datasets import FormatError, make_events
from snn_datasets.sets.windows import window_frames


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 40), max_size=20).map(sorted),
    st.integers(1, 9),
    st.integers(-50, 0),
    st.integers(41, 90),
)
def test_each_event_is_in_the_part_of_its_time(
    times: list[int], T: int, start: int, stop: int
) -> None:
    n = len(times)
    events = make_events(t=times, x=np.arange(n) % 3, y=np.zeros(n), p=np.arange(n) % 2)
    made = window_frames(events, start=start, stop=stop, T=T, size=(3, 1))
    expected = np.zeros((T, 2, 1, 3))
    for i, t in enumerate(times):
        # The last part whose first microsecond is not after t.
        j = max(j for j in range(T) if start + j * (stop - start) // T <= t)
        expected[j, i % 2, 0, i % 3] += 1
    np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize(
    ("times", "text"),
    [
        ([5, 4], "event 1 is at 4 us"),
        ([10], r"event 0 is at 10 us; times must ascend within the window from 0 to 10 us"),
        ([-1], "event 0 is at -1 us"),
    ],
)
def test_other_times_are_refused(times: Any, text: str) -> None:
    zeros = np.zeros(len(times))
    events = make_events(t=times, x=zeros, y=zeros, p=zeros)
    with pytest.raises(FormatError, match=text):
        window_frames(events, start=0, stop=10, T=2, size=(1, 1))
