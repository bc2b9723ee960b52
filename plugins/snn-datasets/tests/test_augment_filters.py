"""The filters that look back in time, compiled and not, against every pair of events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_datasets import compiled, make_events
from snn_datasets.augment import Denoise, RefractoryFilter

fixed = settings(derandomize=True, deadline=None, max_examples=60)
RNG = np.random.default_rng(0)


@pytest.fixture(params=[True, False], ids=["numba", "numpy"], autouse=True, scope="module")
def way(request: pytest.FixtureRequest) -> Any:
    if request.param:
        pytest.importorskip("numba")
    with compiled.use(request.param):
        yield


@st.composite
def recordings(draw: st.DrawFn) -> Any:
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(0, 80))
    size = draw(st.sampled_from([(1, 1), (2, 3), (6, 4), (1000, 700)]))
    span = draw(st.sampled_from([1, 30, 400, 2**50]))
    start = draw(st.sampled_from([0, -50, 2**60]))
    spread = min(size[0], 4), min(size[1], 4)
    events = make_events(
        t=start + np.sort(random.integers(0, span, count)),
        x=random.integers(size[0] - spread[0], size[0], count),
        y=random.integers(0, spread[1], count),
        p=random.integers(0, 2, count),
    )
    return events, size


@fixed
@given(recordings(), st.sampled_from([0, 1, 7, 100, 2**40]))
def test_refractory_equals_one_event_after_the_other(drawn: Any, duration: int) -> None:
    events, size = drawn
    last: dict[Any, int] = {}
    expected = []
    for t, x, y, p in events.tolist():
        if (x, y, p) not in last or t - last[x, y, p] >= duration:
            last[x, y, p] = t
            expected.append((t, x, y, p))
    assert RefractoryFilter(duration)(events, RNG, size).tolist() == expected


@fixed
@given(recordings(), st.sampled_from([0, 1, 7, 100, 2**40]))
def test_denoise_equals_every_pair(drawn: Any, duration: int) -> None:
    events, size = drawn
    rows = events.tolist()
    expected = [
        (t, x, y, p)
        for i, (t, x, y, p) in enumerate(rows)
        if any(max(abs(x - u), abs(y - v)) == 1 and t - s <= duration for s, u, v, _ in rows[:i])
    ]
    assert Denoise(duration)(events, RNG, size).tolist() == expected


def test_a_hot_pixel_is_thinned_to_the_period() -> None:
    events = make_events(t=range(1000), x=[3] * 1000, y=[2] * 1000, p=[1] * 1000)
    kept = RefractoryFilter(7)(events, RNG, (6, 4))
    assert kept["t"].tolist() == list(range(0, 1000, 7))


def test_the_edge_of_the_sensor_has_no_other_side() -> None:
    events = make_events(t=[0, 1, 2, 3], x=[5, 0, 0, 5], y=[1, 2, 3, 0], p=[0] * 4)
    assert Denoise(10)(events, RNG, (6, 4))["t"].tolist() == [2, 3]


def test_real_recordings_give_the_same_both_ways(shared: Any) -> None:
    pytest.importorskip("numba")
    from snn_datasets import read_events

    events = read_events(shared / "aedat2/dvs128_alex_walking_again.aedat")
    assert len(events) == 19182
    results = []
    for numba in (True, False):
        with compiled.use(numba):
            results.append([f(5000)(events, RNG, (128, 128)) for f in (Denoise, RefractoryFilter)])
    for one, other in zip(*results, strict=True):
        assert np.array_equal(one, other)
        assert 0 < len(one) < len(events)
