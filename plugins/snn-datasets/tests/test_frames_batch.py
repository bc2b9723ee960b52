from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_datasets import EVENT, FormatError, Frames, frames_batch, frames_on_device, pack
from snn_datasets.compiled import use

W, H = 5, 3
fixed = settings(derandomize=True, deadline=None, max_examples=60)
Events = np.ndarray[Any, Any]
both_ways = pytest.mark.parametrize("numba", [True, False], ids=["numba", "numpy"])


@st.composite
def batches(draw: st.DrawFn) -> list[Events]:
    rows = st.tuples(
        st.integers(0, draw(st.sampled_from([0, 9, 400]))),
        st.integers(0, W - 1),
        st.integers(0, H - 1),
        st.integers(0, 1),
    )
    return [
        np.array(sorted(draw(st.lists(rows, max_size=25))), EVENT)
        for _ in range(draw(st.integers(0, 4)))
    ]


@st.composite
def rules(draw: st.DrawFn) -> Frames:
    # each dtype is compiled for itself: two are enough here
    dtype = draw(st.sampled_from(["float32", "uint8"]))
    kind = draw(st.sampled_from(["T", "duration_us", "count"]))
    amount = draw(st.integers(1, 12)) * (10 if kind == "duration_us" else 1)
    overlap = (
        0
        if kind == "T"
        else draw(st.integers(0, amount - 1).filter(lambda o: o < amount - amount // 8))
    )
    return Frames(
        **{kind: amount},  # type: ignore[arg-type]
        by=draw(st.sampled_from(["count", "time"])) if kind == "T" else "count",
        overlap=overlap,
        drop_last=draw(st.booleans()),
        edge=draw(st.sampled_from(["paper", "open"])) if kind == "duration_us" else "paper",
        dtype=dtype,  # type: ignore[arg-type]
        binary=draw(st.booleans()),
        shift=draw(st.integers(0, 2)),
        polarity=draw(st.sampled_from(["both", "merge"])),
        crop=draw(st.sampled_from([None, (1, 1), (2, 1)])),
    )


def joined(batch: list[Events]) -> tuple[Events, Events]:
    events = np.concatenate([np.empty(0, EVENT), *batch])
    return events, np.cumsum([0, *map(len, batch)])


def one_by_one(batch: list[Events], rule: Frames) -> Events:
    single = [rule(events, (W, H)) for events in batch]
    T = rule.T or max(map(len, single), default=0)
    expected = np.zeros((T, len(batch), *rule.shape((W, H))), rule.dtype)
    for b, part in enumerate(single):
        expected[: len(part), b] = part
    return expected


@both_ways
@fixed
@given(batches(), rules())
def test_a_batch_is_its_recordings_one_by_one(
    numba: bool, batch: list[Events], rule: Frames
) -> None:
    events, offsets = joined(batch)
    with use(numba):
        expected = one_by_one(batch, rule)
        # each recording has times of its own in a cache
        words = np.concatenate([np.empty(0, np.uint64), *map(pack, batch)])
        for form in (events, words):
            result = rule.batch(form, offsets, (W, H))
            assert result.dtype == expected.dtype
            np.testing.assert_array_equal(result, expected)
        assert rule.lengths(words, offsets).tolist() == [
            len(rule(recording, (W, H))) for recording in batch
        ]


@fixed
@given(batches(), rules(), st.booleans())
def test_tensors_give_the_same_numbers(batch: list[Events], rule: Frames, wide: bool) -> None:
    _, offsets = joined(batch)
    empty = np.empty((0, 2) if wide else 0, np.uint64)
    words = np.concatenate([empty, *(pack(events, wide=wide) for events in batch)])
    with use(False):
        expected = one_by_one(batch, rule)
    for tensor in (torch.from_numpy(words), torch.from_numpy(words.view(np.int64))):
        result = frames_on_device(tensor, torch.from_numpy(offsets), size=(W, H), integrate=rule)
        assert result.dtype == getattr(torch, rule.dtype)
        np.testing.assert_array_equal(result.numpy(), expected)


def recording(*t: int, x: int = 0) -> Events:
    return np.array([(time, x, 0, 1) for time in t], EVENT)


def test_the_short_call_says_the_same() -> None:
    events, offsets = joined([recording(0, 4, 9), recording(), recording(7)])
    result = frames_batch(events, offsets, size=(W, H), T=2, by="time", dtype="uint8")
    assert result.shape == (2, 3, 2, H, W)
    assert result[:, :, 1, 0, 0].tolist() == [[1, 0, 0], [2, 0, 1]]
    lengths = frames_batch(events, offsets, size=(W, H), duration_us=3)
    assert lengths.sum((2, 3, 4)).tolist() == [[1, 0, 1], [1, 0, 0], [1, 0, 0]]
    assert frames_batch(events, offsets, size=(W, H), count=2).shape == (2, 3, 2, H, W)


@pytest.mark.parametrize("dtype", ["float32", "uint8", "uint16", "int32"])
def test_tensors_stop_where_arrays_do(dtype: Any) -> None:
    rule, words = Frames(T=1, dtype=dtype), pack(recording(*range(300)))
    offsets = np.array([0, 300])
    result = frames_on_device(torch.from_numpy(words), offsets, size=(W, H), integrate=rule)
    assert result.dtype == getattr(torch, dtype)
    assert result[0, 0, 1, 0, 0].item() == (255 if dtype == "uint8" else 300)


def test_the_largest_words_have_no_sign() -> None:
    """Bit 63 is set: shifts of int64 must not bring the sign along."""
    events = np.array([(0, 0, 0, 0), (2**32 - 1, 65535, 32767, 1)], [(n, "<i8") for n in "txyp"])
    for wide in (False, True):
        words = torch.from_numpy(pack(events, wide=wide))
        rule = Frames(T=2, by="time", shift=14, polarity="merge")
        offsets = np.array([0, 2])
        result = frames_on_device(words, offsets, size=(65536, 32768), integrate=rule)
        assert torch.nonzero(result).tolist() == [[0, 0, 0, 0, 0], [1, 0, 0, 1, 3]]


@both_ways
@pytest.mark.parametrize(
    ("offsets", "shown"),
    [
        ([0, 2], r"\[0, 2\]"),
        ([1, 3], r"\[1, 3\]"),
        ([0, 2, 1, 3], r"\[0, 2, 1, 3\]"),
        ([], r"\[\]"),
        ([[0, 3]], r"\[\[0, 3\]\]"),
        ([0.0, 3.0], r"\[0.0, 3.0\]"),
        ([0, 1, 1, 1, 1, 1, 1, 1, 1, 4], r"\[0 1 1 1 1 1 1 1 1 4\]"),
    ],
)
def test_wrong_offsets_are_explained(numba: bool, offsets: list[Any], shown: str) -> None:
    text = rf"offsets must be integers that ascend from 0 to the number of events, 3, got {shown}"
    events = recording(0, 4, 9)
    with use(numba):
        for call in (Frames(T=2).batch, lambda *a: Frames(T=2).lengths(*a[:2])):
            with pytest.raises(FormatError, match=text):
                call(events, np.array(offsets), (W, H))
    if offsets:
        with pytest.raises(FormatError, match=text):
            frames_on_device(
                torch.from_numpy(pack(events)),
                torch.tensor(offsets),
                size=(W, H),
                integrate=Frames(T=2),
            )


@both_ways
@pytest.mark.parametrize(
    ("batch", "text"),
    [
        ([recording(5, 9), recording(3, 2)], r"times descend from 3 us to 2 us at event 3; sort"),
        ([recording(5, 9), recording(3, x=5)], r"event 2 has x=5, y=0, p=1, which is off a sensor"),
    ],
)
@pytest.mark.parametrize("drop_last", [False, True])
def test_wrong_events_of_a_batch_are_explained(
    numba: bool, batch: list[Events], text: str, drop_last: bool
) -> None:
    events, offsets = joined(batch)
    rule = Frames(count=2, drop_last=drop_last)
    with use(numba), pytest.raises(FormatError, match=text):
        rule.batch(events, offsets, (W, H))
    words = torch.from_numpy(pack(events, t0=0))
    with pytest.raises(FormatError, match=text):
        frames_on_device(words, offsets, size=(W, H), integrate=rule)


def test_tensors_that_hold_no_words_are_refused() -> None:
    for wrong in (torch.zeros(3), torch.zeros(3, 3, dtype=torch.int64)):
        with pytest.raises(FormatError, match=r"uint64 or int64 of shape \[N\] or \[N, 2\], got"):
            frames_on_device(wrong, torch.tensor([0, 3]), size=(W, H), integrate=Frames(T=2))
