"""Closed forms of each augmentation, and what all of them promise."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_datasets import EVENT, FormatError, make_events
from snn_datasets.augment import (
    NDA,
    Compose,
    Crop,
    Cutout,
    Denoise,
    DropArea,
    DropEvents,
    DropTime,
    EventDrop,
    Flip,
    HotPixelFilter,
    OneOf,
    PolarityFlip,
    RandomApply,
    RefractoryFilter,
    Roll,
    Rotate,
    Shear,
    Shift,
    SpatialJitter,
    TimeJitter,
    TimeReversal,
    TimeScale,
)

SIZE = (7, 5)
ALL = [
    Flip(),
    Flip("vertical", 1),
    Crop((3, 4)),
    Crop((3, 4), where="centre"),
    Shift(3),
    Shift((0, 9)),
    Roll(9),
    Rotate(180),
    Shear(60),
    Shear(60, along="y"),
    SpatialJitter(2),
    SpatialJitter((0.0, 40.0)),
    TimeJitter(500),
    TimeScale((0.001, 3)),
    TimeReversal(),
    PolarityFlip(),
    DropEvents((0, 1)),
    DropArea((0, 1)),
    DropTime((0, 1)),
    Cutout(3),
    EventDrop(),
    NDA(),
    NDA(3, 4),
    RefractoryFilter(100),
    Denoise(100),
    HotPixelFilter(1000),
    OneOf((Flip(), TimeReversal())),
    RandomApply(DropEvents(0.5)),
    Compose((Crop((5, 3)), Rotate(90), TimeJitter(30), Denoise(1000))),
]
KEEPING = (
    Flip,
    Roll,
    TimeJitter,
    TimeScale,
    TimeReversal,
    PolarityFlip,
)


def recording(seed: int, count: int, *, span: int = 1000, dtype: Any = EVENT) -> Any:
    random = np.random.default_rng(seed)
    events = np.empty(count, dtype)
    events["t"] = np.sort(random.integers(10, 10 + span, count))
    events["x"] = random.integers(0, SIZE[0], count)
    events["y"] = random.integers(0, SIZE[1], count)
    events["p"] = random.integers(0, 2, count)
    return events


def rows(events: Any) -> list[Any]:
    return [tuple(int(v) for v in row) for row in events[["t", "x", "y", "p"]].tolist()]


GRID = make_events(t=np.arange(35), x=np.arange(35) % 7, y=np.arange(35) // 7, p=np.arange(35) % 2)


@pytest.mark.parametrize("augmentation", ALL, ids=repr)
@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32),
    count=st.sampled_from([0, 1, 2, 3, 40]),
    span=st.sampled_from([1, 20, 10**6, 2**45]),
)
def test_what_all_promise(augmentation: Any, seed: int, count: int, span: int) -> None:
    events = recording(seed, count, span=span)
    before = events.copy()
    events.flags.writeable = False
    changed = augmentation(events, np.random.default_rng(seed), SIZE)
    assert np.array_equal(events, before)
    assert changed.dtype == EVENT
    assert not np.shares_memory(changed, events)
    width, height = augmentation.output_size(SIZE)
    assert (np.diff(changed["t"]) >= 0).all()
    assert ((changed["x"] >= 0) & (changed["x"] < width)).all()
    assert ((changed["y"] >= 0) & (changed["y"] < height)).all()
    assert (changed["p"] <= 1).all()
    assert changed.size <= count
    if isinstance(augmentation, KEEPING):
        assert changed.size == count
    if count:
        assert changed.size == 0 or changed["t"][0] >= before["t"][0]
    again = augmentation(events, np.random.default_rng(seed), SIZE)
    assert np.array_equal(again, changed)
    twin = pickle.loads(pickle.dumps(augmentation))
    assert twin == augmentation
    assert np.array_equal(twin(events, np.random.default_rng(seed), SIZE), changed)


@pytest.mark.parametrize("augmentation", ALL, ids=repr)
def test_other_dtypes_are_kept_and_give_the_same(augmentation: Any) -> None:
    other = np.dtype([("p", "?"), ("x", "<u2"), ("t", "<u8"), ("y", "u1")])
    events = recording(4, 40)
    same = np.empty(40, other)
    for field in "txyp":
        same[field] = events[field]
    changed = augmentation(same, np.random.default_rng(1), SIZE)
    assert changed.dtype == other
    assert rows(changed) == rows(augmentation(events, np.random.default_rng(1), SIZE))


RANDOM = [a for a in ALL if not isinstance(a, (RefractoryFilter, Denoise, HotPixelFilter))]
RANDOM = [a for a in RANDOM if a not in (Flip("vertical", 1), Crop((3, 4), where="centre"))]


@pytest.mark.parametrize("augmentation", RANDOM, ids=repr)
def test_seeds_differ(augmentation: Any) -> None:
    events = recording(4, 40)
    results = {
        augmentation(events, np.random.default_rng(seed), SIZE).tobytes() for seed in range(20)
    }
    assert len(results) > 1


def once(augmentation: Any, events: Any = GRID, seed: int = 0) -> Any:
    return augmentation(events, np.random.default_rng(seed), SIZE)


def test_flip() -> None:
    assert once(Flip(probability=1))["x"].tolist() == (6 - GRID["x"]).tolist()
    assert once(Flip(probability=1))["y"].tolist() == GRID["y"].tolist()
    assert once(Flip("vertical", 1))["y"].tolist() == (4 - GRID["y"]).tolist()
    assert rows(once(Flip(probability=0))) == rows(GRID)
    random = np.random.default_rng(0)
    flips = sum(Flip(probability=0.25)(GRID, random, SIZE)["x"][0] == 6 for _ in range(1000))
    assert abs(flips - 250) < 60


def test_crop() -> None:
    centre = once(Crop((3, 2), where="centre"))
    kept = [(t, x - 2, y - 1, p) for t, x, y, p in rows(GRID) if 2 <= x < 5 and 1 <= y < 3]
    assert rows(centre) == kept
    places = {tuple(rows(once(Crop((3, 2)), seed=seed))[0]) for seed in range(200)}
    # the first event of a window at column c and row r is number 7 r + c
    assert {t for t, *_ in places} == {7 * r + c for r in range(4) for c in range(5)}
    assert all(len(once(Crop((3, 2)), seed=seed)) == 6 for seed in range(20))
    assert rows(once(Crop(SIZE))) == rows(GRID)


def test_shift_and_roll() -> None:
    seen = set()
    for seed in range(200):
        shifted, rolled = (once(a((2, 1)), seed=seed) for a in (Shift, Roll))
        assert len(rolled) == 35
        a = (int(rolled["x"][0]) + 3) % 7 - 3
        b = (int(rolled["y"][0]) + 2) % 5 - 2
        seen.add((a, b))
        assert rows(rolled) == [(t, (x + a) % 7, (y + b) % 5, p) for t, x, y, p in rows(GRID)]
        assert rows(shifted) == [
            (t, x + a, y + b, p) for t, x, y, p in rows(GRID) if 0 <= x + a < 7 and 0 <= y + b < 5
        ]
    assert seen == {(a, b) for a in range(-2, 3) for b in range(-1, 2)}


@pytest.mark.parametrize(
    ("degrees", "place"),
    [
        (0, lambda x, y: (x, y)),
        (90, lambda x, y: (y, 4 - x)),
        (180, lambda x, y: (4 - x, 4 - y)),
        (-90, lambda x, y: (4 - y, x)),
    ],
)
def test_rotations_by_quarters(degrees: int, place: Any) -> None:
    events = GRID[GRID["x"] < 5]
    turned = Rotate((degrees, degrees))(events, np.random.default_rng(0), (5, 5))
    assert rows(turned) == [(t, *place(x, y), p) for t, x, y, p in rows(events)]


def test_rotation_keeps_distances_from_the_centre() -> None:
    size = (201, 201)
    x, y = np.random.default_rng(0).integers(60, 140, (2, 500))
    events = make_events(t=range(500), x=x, y=y, p=np.zeros(500))
    turned = Rotate((33, 33))(events, np.random.default_rng(0), size)
    before, after = (np.hypot(e["x"] - 100.0, e["y"] - 100.0) for e in (events, turned))
    assert np.abs(before - after).max() <= np.sqrt(0.5)
    angle = np.angle(events["x"] - 100 - 1j * (events["y"] - 100.0))
    turn = np.angle((turned["x"] - 100 - 1j * (turned["y"] - 100.0)) * np.exp(-1j * angle))
    far = before > 20
    assert np.allclose(np.degrees(turn[far]), 33, atol=3)


def test_shear() -> None:
    assert rows(once(Shear((45, 45)))) == [
        (t, x + y - 2, y, p) for t, x, y, p in rows(GRID) if 0 <= x + y - 2 < 7
    ]
    assert rows(once(Shear((45, 45), along="y"))) == [
        (t, x, y + x - 3, p) for t, x, y, p in rows(GRID) if 0 <= y + x - 3 < 5
    ]
    assert rows(once(Shear((-45, -45)))) == [
        (t, x - y + 2, y, p) for t, x, y, p in rows(GRID) if 0 <= x - y + 2 < 7
    ]


def test_jitter_in_space_has_its_spread() -> None:
    events = make_events(t=range(4000), x=[500] * 4000, y=[500] * 4000, p=[0] * 4000)
    moved = SpatialJitter((3.0, 0.0))(events, np.random.default_rng(0), (1000, 1000))
    assert len(moved) == 4000
    assert set(moved["y"].tolist()) == {500}
    assert abs(moved["x"].mean() - 500) < 0.2
    # rounding adds 1/12 to the variance
    assert abs(moved["x"].astype(float).var() - (9 + 1 / 12)) < 0.7


def test_jitter_in_time_sorts_stably_and_ends_at_the_first_time() -> None:
    events = make_events(t=[10**6] * 5000, x=np.arange(5000) % 7, y=[0] * 5000, p=[1] * 5000)
    jittered = TimeJitter(100)(events, np.random.default_rng(0), SIZE)
    assert jittered["t"].min() == 10**6
    early = jittered[jittered["t"] == 10**6]
    assert abs(len(early) - 2500) < 150
    assert abs(jittered["t"][jittered["t"] > 10**6].mean() - 10**6 - 80) < 6
    numbered = make_events(t=[50] * 2000, x=np.arange(2000), y=[0] * 2000, p=[0] * 2000)
    still = TimeJitter(3)(numbered, np.random.default_rng(2), (2000, 1))
    for time in np.unique(still["t"]):
        assert (np.diff(still["x"][still["t"] == time]) > 0).all()


def test_time_scale() -> None:
    events = make_events(t=[7, 8, 17, 107], x=[0] * 4, y=[0] * 4, p=[0] * 4)
    assert once(TimeScale(2), events)["t"].tolist() == [7, 9, 27, 207]
    assert once(TimeScale(0.1), events)["t"].tolist() == [7, 7, 8, 17]
    long = make_events(t=[2**60, 2**60 + 2**52 - 1], x=[0, 0], y=[0, 0], p=[0, 0])
    assert once(TimeScale(1), long)["t"].tolist() == long["t"].tolist()
    ends = [once(TimeScale((0.5, 2)), events, seed)["t"][-1] for seed in range(200)]
    assert 57 <= min(ends) < 65
    assert 195 < max(ends) <= 207


def test_time_reversal_and_polarity() -> None:
    events = make_events(t=[3, 5, 5, 11], x=[0, 1, 2, 3], y=[0] * 4, p=[0, 1, 1, 1])
    assert rows(once(TimeReversal(1), events)) == [
        (3, 3, 0, 0),
        (9, 2, 0, 0),
        (9, 1, 0, 0),
        (11, 0, 0, 1),
    ]
    assert rows(once(TimeReversal(1), once(TimeReversal(1), GRID))) == rows(GRID)
    assert rows(once(PolarityFlip(1), events)) == [(t, x, y, 1 - p) for t, x, y, p in rows(events)]
    assert rows(once(TimeReversal(0), GRID)) == rows(once(PolarityFlip(0), GRID)) == rows(GRID)


@pytest.mark.parametrize(("fraction", "left"), [(0, 35), (0.2, 28), (0.5, 17), (1, 0)])
def test_drop_events(fraction: float, left: int) -> None:
    kept = once(DropEvents(fraction))
    assert len(kept) == left
    assert set(rows(kept)) <= set(rows(GRID))
    counts = np.zeros(35)
    for seed in range(300):
        counts[once(DropEvents(0.2), seed=seed)["t"]] += 1
    assert (np.abs(counts - 240) < 35).all()


def test_drop_area() -> None:
    corners = set()
    for seed in range(300):
        gone = GRID[~np.isin(GRID["t"], once(DropArea(0.45), seed=seed)["t"])]
        x, y = int(gone["x"].min()), int(gone["y"].min())
        assert rows(gone) == [r for r in rows(GRID) if x <= r[1] < x + 3 and y <= r[2] < y + 2]
        corners.add((x, y))
    assert corners == {(x, y) for x in range(5) for y in range(4)}
    assert len(once(DropArea(1))) == 0
    assert len(once(DropArea(0.1))) == 35


def test_drop_time() -> None:
    starts = set()
    for seed in range(300):
        kept = set(once(DropTime(0.5), seed=seed)["t"].tolist())
        gone = sorted(set(range(35)) - kept)
        assert gone == list(range(gone[0], gone[0] + 17))
        starts.add(gone[0])
    assert starts == set(range(18))
    assert len(once(DropTime(0))) == 35
    assert once(DropTime(1))["t"].tolist() == [34]


def test_cutout() -> None:
    found = set()
    for seed in range(400):
        gone = frozenset(range(35)) - set(once(Cutout(3), seed=seed)["t"].tolist())
        found.add(gone)
    assert found == {
        frozenset(
            7 * y + x
            for y in range(max(b - 1, 0), min(b + 2, 5))
            for x in range(max(a - 1, 0), min(a + 2, 7))
        )
        for a in range(7)
        for b in range(5)
    }
    assert len(once(Cutout(0))) == 35


def test_hot_pixels() -> None:
    events = make_events(
        t=[0, 10, 20, 500_000, 999_999, 1_000_000],
        x=[1, 1, 1, 2, 2, 3],
        y=[1, 1, 1, 2, 2, 3],
        p=[0, 1, 0, 1, 1, 0],
    )
    assert once(HotPixelFilter(3), events).size == 6
    assert once(HotPixelFilter(2), events)["x"].tolist() == [2, 2, 3]
    assert once(HotPixelFilter(1.5), events)["x"].tolist() == [3]
    assert once(HotPixelFilter(1e-9), events[:1]).size == 1


def test_event_drop_chooses_among_four() -> None:
    # an event at each pixel, so that every rectangle loses some
    x, y = np.divmod(np.arange(60 * 60), 60)
    events = make_events(t=np.arange(3600) * 7, x=x, y=y, p=x % 2)
    ways = {"nothing": 0, "time": 0, "area": 0, "events": 0}
    for seed in range(400):
        kept = EventDrop()(events, np.random.default_rng(seed), (60, 60))
        gone = np.setdiff1d(events["t"] // 7, kept["t"] // 7)
        if not gone.size:
            ways["nothing"] += 1
        elif gone.size == gone[-1] - gone[0] + 1:
            ways["time"] += 1
            assert 360 <= gone.size <= 3240
        elif gone.size == len(set(gone // 60)) * len(set(gone % 60)):
            ways["area"] += 1
            assert 3**2 <= gone.size <= 18**2
        else:
            ways["events"] += 1
            assert 360 <= gone.size <= 3240
    assert all(abs(count - 100) < 40 for count in ways.values())


def test_nda_has_the_magnitudes_of_the_paper_at_48_pixels() -> None:
    for magnitude, row in {1: (3, 15, 8, 15), 2: (5, 30, 16, 30), 3: (7, 45, 24, 45)}.items():
        roll, rotate, cutout, shear = NDA(magnitude).changes((48, 64))  # type: ignore[arg-type]
        assert (roll.most, rotate.degrees, cutout.side, shear.degrees) == row  # type: ignore[attr-defined]
    roll, _, cutout, _ = NDA(2).changes((128, 128))
    assert (roll.most, cutout.side) == (13, 43)  # type: ignore[attr-defined]
    assert rows(once(NDA(1, 0, flip=False))) == rows(GRID)
    mirrored = rows(once(Flip(probability=1)))
    assert {tuple(rows(once(NDA(1, 0), seed=s))) for s in range(9)} == {
        tuple(mirrored),
        tuple(rows(GRID)),
    }


def test_compose_passes_the_size_on() -> None:
    sizes = []

    def look(events: Any, rng: np.random.Generator, size: tuple[int, int]) -> Any:
        sizes.append(size)
        return events

    both = Compose([look, Crop((4, 3)), look, Crop((2, 2)), look])  # type: ignore[arg-type]
    assert both.output_size(SIZE) == (2, 2)
    assert len(once(both)) == 4
    assert sizes == [SIZE, (4, 3), (2, 2)]
    assert rows(once(Compose(()))) == rows(GRID)
    assert once(Compose(())) is not GRID


def test_one_of_and_random_apply_are_fair() -> None:
    random = np.random.default_rng(0)
    one = OneOf((DropEvents(1), Flip(probability=0), Flip(probability=0)))
    empty = sum(len(one(GRID, random, SIZE)) == 0 for _ in range(900))
    assert abs(empty - 300) < 60
    some = RandomApply(DropEvents(1), 0.2)
    empty = sum(len(some(GRID, random, SIZE)) == 0 for _ in range(900))
    assert abs(empty - 180) < 50


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Flip("diagonal"), r"axis must be 'horizontal' or 'vertical', got 'diagonal'"),
        (lambda: Flip(probability=1.5), r"probability must be from 0 to 1, got 1\.5"),
        (lambda: Crop((0, 4)), r"the size of a crop must be at least 1 x 1, got \(0, 4\)"),
        (lambda: Crop((1, 4), "left"), r"where must be 'random' or 'centre', got 'left'"),
        (lambda: once(Crop((8, 4))), r"a crop of 8 x 4 pixels is larger than the sensor of 7 x 5"),
        (lambda: Shift(-1), r"most must be a whole number of pixels >= 0, or a pair \(in x, in"),
        (lambda: Roll(1.5), r"most must be a whole number of pixels >= 0, .*, got 1\.5"),
        (lambda: Rotate(-5), r"degrees must be a number >= 0, of which both signs are drawn"),
        (lambda: Rotate((5, 1)), r"or a pair \(least, greatest\), got \(5, 1\)"),
        (lambda: Shear(90), r"degrees of a shear must be below 90, got 90"),
        (lambda: Shear(9, along="t"), r"along must be 'x' or 'y', got 't'"),
        (lambda: SpatialJitter(-1), r"std must be a number of pixels >= 0, or two, got -1"),
        (lambda: TimeJitter(-1), r"std_us must be a number of microseconds >= 0, got -1"),
        (lambda: TimeScale(0), r"factor must be a number from 0\.001 to 1000, or a pair"),
        (lambda: TimeReversal(2), r"probability must be from 0 to 1, got 2"),
        (lambda: PolarityFlip(-1), r"probability must be from 0 to 1, got -1"),
        (lambda: DropEvents(2), r"fraction must be a number from 0 to 1, or a pair .*, got 2"),
        (lambda: DropArea((0.5, 0.1)), r"fraction must be a number from 0 to 1, .*\(0\.5, 0\.1\)"),
        (lambda: DropTime(float("nan")), r"fraction must be a number from 0 to 1, .*, got nan"),
        (lambda: Cutout(-1), r"side must be a whole number of pixels >= 0, got -1"),
        (lambda: RefractoryFilter(-1), r"duration_us must be a whole number of microseconds >= 0"),
        (lambda: Denoise(0.5), r"duration_us must be a whole number of microseconds .* got 0\.5"),
        (lambda: HotPixelFilter(0), r"most_hz must be a rate above 0, got 0"),
        (lambda: NDA(4), r"magnitude must be 1, 2 or 3, got 4"),
        (lambda: NDA(1, 5), r"number must be 0 to 4 of the four changes, got 5"),
        (lambda: OneOf(()), r"OneOf needs at least one augmentation to choose from"),
        (
            lambda: once(OneOf((Flip(), Crop((2, 3))))),
            r"make \(2, 3\) and \(7, 5\) of a sensor of \(7, 5\); all must leave one size",
        ),
        (
            lambda: once(RandomApply(Crop((2, 3)))),
            r"makes \(2, 3\) of a sensor of \(7, 5\), so that items would differ in size",
        ),
    ],
)
def test_wrong_parameters_are_explained(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize("make", [Compose, OneOf, lambda steps: RandomApply(steps[0])])
def test_a_step_that_is_none_is_explained(make: Any) -> None:
    with pytest.raises(TypeError, match=r"called with \(events, rng, size\), got 'flip', which"):
        make(("flip",))


@pytest.mark.parametrize(
    ("events", "text"),
    [
        (
            make_events(t=[5, 9, 7], x=[0] * 3, y=[0] * 3, p=[0] * 3),
            r"Flip: times descend from 9 us to 7 us at event 2; sort the events first",
        ),
        (
            make_events(t=[0, 1], x=[0, 7], y=[0, 0], p=[0, 0]),
            r"Flip: event 1 has x = 7, expected is 0 to 6 on a sensor of 7 x 5 pixels \(1 such",
        ),
        (make_events(t=[0], x=[0], y=[-1], p=[0]), r"event 0 has y = -1, expected is 0 to 4"),
        (make_events(t=[0], x=[0], y=[0], p=[2]), r"event 0 has p = 2, expected is 0 to 1"),
        (np.zeros(2), r"need the fields t, x, y, p"),
    ],
)
def test_wrong_events_are_explained(events: Any, text: str) -> None:
    with pytest.raises(FormatError, match=text):
        once(Flip(), events)
