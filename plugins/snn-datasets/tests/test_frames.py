from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from snn_datasets import FormatError, Frames, frames, make_events, pack
from snn_datasets.compiled import use

W, H = 5, 3
# numba sees few types here: its functions are compiled once and cached
fixed = settings(derandomize=True, deadline=None, max_examples=30)
Events = np.ndarray[Any, Any]


@pytest.fixture(params=[True, False], ids=["numba", "numpy"], autouse=True, scope="module")
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param:
        pytest.importorskip("numba")
    with use(request.param):
        yield


@st.composite
def recordings(draw: st.DrawFn, largest: int = 60) -> Events:
    n = draw(st.integers(0, largest))
    column = lambda top: draw(hnp.arrays(np.int64, n, elements=st.integers(0, top)))  # noqa: E731
    start = draw(st.integers(-(2**40), 2**40))
    return make_events(
        t=start + np.sort(column(draw(st.sampled_from([0, 3, 50, 10**6])))),
        x=column(W - 1),
        y=column(H - 1),
        p=column(1),
    )


def image(events: Events, chosen: list[int]) -> Events:
    """The frame of some events, one after the other."""
    frame = np.zeros((2, H, W), np.float32)
    for i in chosen:
        frame[events["p"][i], events["y"][i], events["x"][i]] += 1
    return frame


def images(events: Events, slices: list[list[int]]) -> Events:
    return np.array([image(events, chosen) for chosen in slices]).reshape(-1, 2, H, W)


def compare(events: Events, slices: list[list[int]], **rule: Any) -> None:
    """Frames of arrays and of words are those of the listed events."""
    before = events.copy()
    expected = images(events, slices)
    integrate = Frames(**rule)
    for form in (events, pack(events), pack(events, wide=True)):
        result = integrate(form, (W, H))
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(events, before)


@fixed
@given(recordings(), st.integers(1, 70))
def test_by_count_equals_the_index_ranges_of_the_paper(events: Events, T: int) -> None:
    n = len(events) // T
    ranges = [(n * j, n * (j + 1) if j < T - 1 else len(events)) for j in range(T)]
    compare(events, [list(range(*ends)) for ends in ranges], T=T)


@fixed
@given(recordings(), st.integers(1, 70))
def test_by_time_equals_the_index_ranges_of_the_paper(events: Events, T: int) -> None:
    t = events["t"].tolist()
    width = (t[-1] - t[0]) // T if t else 0
    slices: list[list[int]] = []
    for j in range(T):
        # No event at or after the left end, or none before the right one: an empty slice.
        left = min((k for k in range(len(t)) if t[k] >= t[0] + width * j), default=len(t))
        last = max((k for k in range(len(t)) if t[k] < t[0] + width * (j + 1)), default=-1)
        slices.append(list(range(left, last + 1 if j < T - 1 else len(t))))
    compare(events, slices, T=T, by="time")


@fixed
@given(recordings(), st.integers(1, 100))
def test_by_duration_equals_the_floor_of_each_event(events: Events, share: int) -> None:
    t = events["t"].tolist()
    span = t[-1] - t[0] if t else 0
    duration = max(1, span // share)
    T = -(-span // duration) if span else min(len(t), 1)
    slices: list[list[int]] = [[] for _ in range(T)]
    for i, time in enumerate(t):
        slices[min((time - t[0]) // duration, T - 1)].append(i)
    compare(events, slices, duration_us=duration)
    whole = span // duration
    reached = span == whole * duration
    kept = [[i for i in s if t[i] - t[0] < whole * duration or reached] for s in slices[:whole]]
    compare(events, kept, duration_us=duration, drop_last=True)
    # half-open slices: whoever stands at the very end has a frame of its own
    apart = [[i for i in range(len(t)) if (t[i] - t[0]) // duration == j] for j in range(whole + 1)]
    compare(events, apart if t else [], duration_us=duration, edge="open")
    compare(events, apart[:whole], duration_us=duration, edge="open", drop_last=True)


@fixed
@given(recordings(), st.integers(1, 70))
def test_by_number_of_events(events: Events, count: int) -> None:
    every = list(range(len(events)))
    slices = [every[i : i + count] for i in range(0, len(events), count)]
    compare(events, slices, count=count)
    compare(events, [s for s in slices if len(s) == count], count=count, drop_last=True)


@fixed
@given(recordings(largest=30), st.integers(1, 20), st.data())
def test_overlapping_windows_of_events(events: Events, count: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, count - 1))
    every, stride = list(range(len(events))), count - overlap
    slices: list[list[int]] = []
    while every and (not slices or slices[-1][-1] != every[-1]):
        slices.append(every[len(slices) * stride :][:count])
    compare(events, slices, count=count, overlap=overlap)
    full = [s for s in slices if len(s) == count]
    compare(events, full, count=count, overlap=overlap, drop_last=True)


@fixed
@given(recordings(largest=30), st.integers(2, 20), st.data())
def test_overlapping_windows_of_time(events: Events, share: int, data: st.DataObject) -> None:
    t = events["t"].tolist()
    span = t[-1] - t[0] if t else 0
    duration = max(2, 3 * span // share)
    overlap = data.draw(st.integers(1, duration - 1).filter(lambda o: span < 60 * (duration - o)))
    stride = duration - overlap

    def windows(beyond: int, closed: bool) -> list[list[int]]:
        """As many as it takes to reach ``beyond`` microseconds after the first event."""
        number = 1
        while (number - 1) * stride + duration < beyond:
            number += 1
        return [
            [
                i
                for i in range(len(t))
                if j * stride <= t[i] - t[0] < j * stride + duration
                or (closed and j == number - 1 and t[i] - t[0] == j * stride + duration)
            ]
            for j in range(number if t else 0)
        ]

    rule = {"duration_us": duration, "overlap": overlap}
    compare(events, windows(span, True), **rule)
    compare(events, windows(span + 1, False), **rule, edge="open")
    whole = [j for j in range(61) if j * stride + duration <= span]
    compare(events, windows(span, True)[: len(whole)], **rule, drop_last=True)


@fixed
@given(recordings(), st.integers(1, 70), st.sampled_from(["count", "time"]))
def test_dropping_the_rest_leaves_equal_shares(events: Events, T: int, by: Any) -> None:
    place = np.arange(len(events)) if by == "count" else events["t"] - events["t"][:1]
    extent = len(events) if by == "count" else int(place[-1]) if len(events) else 0
    share, rest = divmod(extent, T)
    ends = [share * j for j in range(T + 1)]
    slices = [
        [
            i
            for i in range(len(events))
            if ends[j] <= place[i] < ends[j + 1]
            or (j == T - 1 and not rest and place[i] >= ends[-1])
        ]
        for j in range(T)
    ]
    compare(events, slices, T=T, by=by, drop_last=True)


RULES: list[dict[str, Any]] = [
    {"T": 1},
    {"T": 7},
    {"T": 300, "by": "time"},
    {"duration_us": 7},
    {"duration_us": 7, "edge": "open"},
    {"count": 4},
]


@fixed
@given(recordings())
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_every_event_is_counted_once(rule: dict[str, Any], events: Events) -> None:
    if len(events) and "duration_us" in rule:
        events["t"] = events["t"][0] + (events["t"] - events["t"][0]) % 500
        events.sort(order="t")
    before = events.copy()
    result = frames(events, size=(W, H), **rule)
    np.testing.assert_array_equal(result.sum(0), image(events, list(range(len(events)))))
    np.testing.assert_array_equal(events, before)


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_few_events(rule: dict[str, Any], number: int) -> None:
    events = make_events(t=[5] * number, x=[1] * number, y=[0] * number, p=[1] * number)
    result = frames(events, size=(W, H), **rule)
    T = rule.get("T", min(number, 1))
    assert result.shape == (T, 2, H, W)
    assert result.sum() == number
    if number and rule.get("T") != number:
        # a share of zero puts all into the last frame
        assert result[-1, 1, 0, 1] == number


def test_the_event_at_the_end_of_an_exact_multiple() -> None:
    events = make_events(t=[0, 10, 20, 30], x=[0] * 4, y=[0] * 4, p=[0] * 4)

    def counts(**rule: Any) -> list[int]:
        return frames(events, size=(1, 1), duration_us=10, **rule).sum((1, 2, 3)).tolist()

    assert counts() == [1, 1, 2]
    assert counts(edge="open") == [1, 1, 1, 1]
    assert counts(drop_last=True) == [1, 1, 2]
    assert counts(drop_last=True, edge="open") == [1, 1, 1]


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


def test_read_only_and_strided_events_are_read_in_place() -> None:
    events = make_events(t=range(6), x=[0, 1, 2, 3, 4, 0], y=[0] * 6, p=[0] * 6)
    events.flags.writeable = False
    assert np.argwhere(frames(events[::2], size=(W, H), T=1)).tolist() == [
        [0, 0, 0, 0],
        [0, 0, 0, 2],
        [0, 0, 0, 4],
    ]


def one_pixel(number: int) -> Events:
    return make_events(t=range(number), x=[4] * number, y=[2] * number, p=[1] * number)


@pytest.mark.parametrize(
    ("dtype", "number", "stops"),
    [
        ("uint8", 255, 255),
        ("uint8", 256, 255),
        ("uint8", 1000, 255),
        ("uint16", 65535, 65535),
        ("uint16", 65537, 65535),
        ("int32", 70000, 70000),
        ("float32", 70000, 70000),
    ],
)
def test_counts_stop_at_the_largest_value(dtype: Any, number: int, stops: int) -> None:
    result = frames(one_pixel(number), size=(W, H), T=1, dtype=dtype)
    assert result.dtype == np.dtype(dtype)
    assert result[0, 1, 2, 4] == stops
    assert np.count_nonzero(result) == 1


@fixed
@given(recordings(), st.sampled_from([{"T": 3}, {"count": 7, "overlap": 5}]))
def test_binary_frames_say_where_there_is_any_event(events: Events, rule: Any) -> None:
    counts = frames(events, size=(W, H), **rule)
    for dtype in ("float32", "uint8"):
        binary = frames(events, size=(W, H), **rule, binary=True, dtype=dtype)
        np.testing.assert_array_equal(binary, (counts > 0).astype(dtype))


@fixed
@given(recordings(), st.integers(0, 4))
def test_shifted_pixels_add_up_and_merged_polarities_too(events: Events, shift: int) -> None:
    fine = frames(events, size=(W, H), T=2)
    cells = 1 << shift
    h, w = -(-H // cells), -(-W // cells)
    padded = np.zeros((2, 2, h * cells, w * cells), np.float32)
    padded[:, :, :H, :W] = fine
    coarse = padded.reshape(2, 2, h, cells, w, cells).sum((3, 5))
    np.testing.assert_array_equal(frames(events, size=(W, H), T=2, shift=shift), coarse)
    merged = frames(events, size=(W, H), T=2, shift=shift, polarity="merge")
    np.testing.assert_array_equal(merged, coarse.sum(1, keepdims=True))


@fixed
@given(recordings(), st.integers(1, W), st.integers(1, H), st.integers(0, 1))
def test_a_crop_is_the_middle(events: Events, width: int, height: int, shift: int) -> None:
    whole = frames(events, size=(W, H), T=2, shift=shift)
    _, _, h, w = whole.shape
    width, height = min(width, w), min(height, h)
    y0, x0 = (h - height) // 2, (w - width) // 2
    rule = Frames(T=2, shift=shift, crop=(width, height))
    for form in (events, pack(events)):
        result = rule(form, (W, H))
        np.testing.assert_array_equal(result, whole[:, :, y0 : y0 + height, x0 : x0 + width])
        assert result.flags.c_contiguous
    assert rule.shape((W, H)) == result.shape[1:]


def test_a_crop_larger_than_the_frame_is_refused() -> None:
    text = r"^Frames: a crop of 6 x 2 pixels is larger than the frame of 5 x 3$"
    with pytest.raises(ValueError, match=text):
        frames(EVENTS, size=(W, H), T=2, crop=(6, 2))
    with pytest.raises(ValueError, match=text):
        Frames(T=2, crop=(6, 2)).shape((W, H))


def test_a_large_frame_of_few_events_and_many_frames() -> None:
    """Frames of several groups of the numpy way, with and without counts that stop."""
    random = np.random.default_rng(0)
    n, size = 3000, (300, 200)
    x, y = random.integers(0, 300, n), random.integers(0, 200, n)
    events = make_events(
        t=range(n), x=np.where(x < 150, 0, x), y=np.where(x < 150, 0, y), p=[0] * n
    )
    for count in (17, 900):
        for rule in ({}, {"overlap": 5}, {"binary": True}):
            result = frames(events, size=size, count=count, dtype="uint8", **rule)  # type: ignore[arg-type]
            stride = count - rule.get("overlap", 0)
            for j, frame in enumerate(result):
                part = events[j * stride : j * stride + count]
                expected = np.zeros((2, *size[::-1]), np.int64)
                np.add.at(expected, (part["p"], part["y"], part["x"]), 1)
                np.testing.assert_array_equal(
                    frame, np.minimum(expected, 1 if "binary" in rule else 255)
                )


EVENTS = make_events(t=[0, 1], x=[0, 0], y=[0, 0], p=[0, 0])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {},
            r"^Frames needs either T \(a number of frames\) or duration_us \(microseconds per "
            r"frame\) or count \(events per frame\), got T=None, duration_us=None, count=None$",
        ),
        ({"T": 2, "duration_us": 5}, r"got T=2, duration_us=5, count=None"),
        ({"T": 0}, r"T must be at least 1 and at most 2\^62, got 0"),
        ({"duration_us": -3}, r"duration_us must be at least 1 and at most 2\^62, got -3"),
        ({"duration_us": 2**63}, r"duration_us must be at least 1 and at most 2\^62, got 9"),
        ({"count": 0}, r"count must be at least 1"),
        ({"T": 2, "by": "events"}, r"by must be 'count' or 'time', got 'events'"),
        ({"count": 2, "by": "time"}, r"by='time' says what T frames share; give T"),
        ({"duration_us": 2, "edge": "closed"}, r"edge must be 'paper' or 'open', got 'closed'"),
        ({"T": 2, "edge": "open"}, r"edge='open' needs duration_us"),
        ({"T": 2, "overlap": 1}, r"overlap=1 needs duration_us or count"),
        ({"count": 4, "overlap": 4}, r"at least 0 and below the 4 of a frame, got 4"),
        ({"count": 4, "overlap": -1}, r"at least 0 and below the 4 of a frame, got -1"),
        ({"T": 2, "dtype": "f8"}, r"'float32', 'uint8', 'uint16' or 'int32', got 'f8'"),
        ({"T": 2, "polarity": "none"}, r"polarity must be 'both' or 'merge', got 'none'"),
        ({"T": 2, "shift": -1}, r"shift must be from 0 to 15, got -1"),
        ({"T": 2, "crop": (0, 2)}, r"crop must be at least 1 x 1, got \(0, 2\)"),
    ],
)
def test_a_wrong_rule_is_explained(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        frames(EVENTS, size=(W, H), **arguments)


WIDE = np.dtype([(name, "<i8") for name in "txyp"])


@pytest.mark.parametrize("rule", [{"T": 2}, {"T": 2, "by": "time"}, {"count": 1}], ids=str)
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(
    ("events", "text"),
    [
        (
            make_events(t=[5, 9, 7], x=[0] * 3, y=[0] * 3, p=[0] * 3),
            r"times descend from 9 us to 7 us at event 2; sort the events first",
        ),
        (
            make_events(t=[5, 2, 7, 8], x=[0] * 4, y=[0] * 4, p=[0] * 4),
            r"times descend from 5 us to 2 us at event 1; sort the events first",
        ),
        (
            make_events(t=[0, 1, 2], x=[0, 5, 9], y=[0] * 3, p=[0] * 3),
            r"event 1 has x=5, y=0, p=0, which is off a sensor of 5 x 3 pixels with 2 polarities "
            r"\(2 such events\); check size",
        ),
        (make_events(t=[0, 1], x=[0, 0], y=[0, 3], p=[0, 0]), r"event 1 has x=0, y=3, p=0"),
        (make_events(t=[0], x=[0], y=[0], p=[2]), r"event 0 has x=0, y=0, p=2"),
        (make_events(t=[0], x=[-1], y=[0], p=[0]), r"event 0 has x=-1"),
        (make_events(t=[0], x=[0], y=[-1], p=[0]), r"event 0 has x=0, y=-1"),
        (np.array([(0, 2**32, 0, 0)], WIDE), r"event 0 has x=4294967296"),
        (np.array([(0, 0, 0, -1)], WIDE), r"event 0 has x=0, y=0, p=-1"),
    ],
)
def test_wrong_events_are_explained_in_every_slice_and_behind_the_last(
    events: Events, text: str, rule: Any, drop_last: bool
) -> None:
    with pytest.raises(FormatError, match=text):
        frames(events, size=(W, H), **rule, drop_last=drop_last)


def test_arrays_that_hold_no_events_are_explained() -> None:
    floats = np.zeros(3, [("t", "f8"), ("x", "i2"), ("y", "i2"), ("p", "u1")])
    with pytest.raises(FormatError, match=r"times of type float64; expected are integer microsec"):
        frames(floats, size=(W, H), T=2)
    with pytest.raises(FormatError, match=r"need the fields t, x, y, p; t, x, y, p missing in flo"):
        frames(np.zeros((3, 4)), size=(W, H), T=2)


def test_times_that_cannot_be_added_up_are_refused() -> None:
    events = make_events(t=[-(2**62), 2**62], x=[0, 0], y=[0, 0], p=[0, 0])
    assert frames(events, size=(1, 1), T=2).sum() == 2
    for rule in ({"T": 2, "by": "time"}, {"duration_us": 5}):
        with pytest.raises(FormatError, match=r"events span 9223372036854775808 us .* damaged"):
            frames(events, size=(1, 1), **rule)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_large_frames_are_cleared_and_stay_the_callers(dtype: str, way: str) -> None:
    """Memory that was used before holds nothing of that, and is lent to one array at a time."""
    events = make_events(t=[0, 1, 5], x=[0, 639, 3], y=[0, 479, 7], p=[1, 0, 1])
    cut = Frames(T=3, by="time", dtype=dtype)  # type: ignore[arg-type]
    for _ in range(2):
        spent = cut(events, (640, 480))
        spent.fill(7)
        del spent
    first = cut(events, (640, 480))
    second = cut(events[:1], (640, 480))
    assert first.nbytes >= 1 << 20
    assert first.sum() == 3
    assert second.sum() == 1
    assert not np.shares_memory(first, second)
    view = first[2, 1, 7]
    del first
    cut(events, (640, 480)).fill(9)
    assert view[3] == 1
    assert view.sum() == 1
