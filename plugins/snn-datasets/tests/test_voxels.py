from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_datasets import EVENT, FormatError, VoxelGrid, make_events, pack, to_voxel_grid
from snn_datasets.compiled import use

W, H = 4, 3
fixed = settings(derandomize=True, deadline=None, max_examples=40)
Events = np.ndarray[Any, Any]


@st.composite
def recordings(draw: st.DrawFn) -> Events:
    start, span = draw(st.integers(-(2**40), 2**40)), draw(st.sampled_from([0, 5, 10**9]))
    rows = st.tuples(
        st.integers(start, start + span),
        st.integers(0, W - 1),
        st.integers(0, H - 1),
        st.integers(0, 1),
    )
    return np.array(sorted(draw(st.lists(rows, max_size=20))), EVENT)


@fixed
@given(recordings(), st.integers(1, 7))
def test_grids_equal_the_sum_of_the_paper(events: Events, bins: int) -> None:
    """In exact fractions, event by event and bin by bin."""
    before = events.copy()
    signed = np.full((bins, H, W), Fraction(0))
    each = np.full((bins, 2, H, W), Fraction(0))
    t = events["t"].tolist()
    for time, x, y, p in events.tolist():
        place = Fraction((bins - 1) * (time - t[0]), (t[-1] - t[0]) or 1)
        for b in range(bins):
            weight = max(Fraction(0), 1 - abs(b - place))
            signed[b, y, x] += (2 * p - 1) * weight
            each[b, p, y, x] += weight
    for form, numba in itertools.product((events, pack(events)), (True, False)):
        with use(numba):
            grid = VoxelGrid(bins)(form, (W, H))
            both = to_voxel_grid(form, size=(W, H), bins=bins, polarity="both")
        assert grid.dtype == np.float32
        assert grid.shape == (bins, 1, H, W)
        np.testing.assert_allclose(grid[:, 0], signed.astype(float), atol=1e-6)
        np.testing.assert_allclose(both, each.astype(float), atol=1e-6)
        np.testing.assert_allclose(both.sum(), len(events), rtol=1e-6)
    np.testing.assert_array_equal(events, before)


@fixed
@given(recordings(), st.integers(1, 7), st.sampled_from(["signed", "both"]))
def test_numba_and_numpy_give_the_same_bits(events: Events, bins: int, polarity: Any) -> None:
    grids: list[Events] = []
    for numba in (True, False):
        with use(numba):
            grids.append(VoxelGrid(bins, polarity)(events, (W, H)))
    np.testing.assert_array_equal(*grids)


@pytest.mark.parametrize("kind", ["?", "u1", "i1"])
def test_polarities_of_any_type_are_signed_and_stay_as_they_are(kind: str) -> None:
    """464 of one and 536 of the other, in bool: another library made this 887 with minimum 0."""
    random = np.random.default_rng(3)
    events = np.zeros(1000, [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", kind)])
    events["t"] = np.sort(random.integers(0, 100_000, 1000))
    events["x"], events["y"] = random.integers(0, W, 1000), random.integers(0, H, 1000)
    events["p"] = random.permutation(np.repeat([1, 0], [464, 536]))
    before = events.copy()
    grid = to_voxel_grid(events, size=(W, H), bins=5)
    assert grid.sum() == pytest.approx(464 - 536, abs=1e-3)
    assert grid.min() < 0 < grid.max()
    np.testing.assert_array_equal(events, before)


@pytest.mark.parametrize("numba", [True, False])
def test_wrong_input_is_explained(numba: bool) -> None:
    with use(numba):
        check_wrong_input()


def check_wrong_input() -> None:
    with pytest.raises(ValueError, match=r"VoxelGrid: bins must be at least 1, got 0"):
        VoxelGrid(0)
    with pytest.raises(ValueError, match=r"polarity must be 'signed' or 'both', got 'merge'"):
        VoxelGrid(2, "merge")  # type: ignore[arg-type]
    falling = make_events(t=[5, 3], x=[0, 0], y=[0, 0], p=[0, 0])
    with pytest.raises(FormatError, match=r"times descend from 5 us to 3 us at event 1"):
        VoxelGrid(2)(falling, (W, H))
    with pytest.raises(FormatError, match=r"event 0 has x=0, y=0, p=0, which is off a sensor of 0"):
        VoxelGrid(2)(falling[:1], (0, 1))
    long = make_events(t=[0, 2**61], x=[0, 0], y=[0, 0], p=[0, 0])
    assert VoxelGrid(3)(long, (1, 1)).ravel().tolist() == [-1, 0, -1]
    with pytest.raises(FormatError, match=r"events span 2305843009213693952 us, too long for 4 bi"):
        VoxelGrid(4)(long, (1, 1))
