"""EventMix: which events are taken, what the label says, and datasets of mixtures."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from snn_datasets import NMNIST, FormatError, Mixed, make_events
from snn_datasets.augment import Crop, EventMix, Flip

SIZE = (20, 16)
notice = pytest.mark.filterwarnings("ignore:.*is not the published file")


def recording(seed: int, count: int, p: int, start: int = 0, span: int = 50_000) -> Any:
    random = np.random.default_rng(seed)
    t = np.sort(random.integers(start, start + span, count))
    t[:1], t[-1:] = start, start + span - 1
    x, y = (random.integers(0, extent, count) for extent in SIZE)
    return make_events(t=t, x=x, y=y, p=np.full(count, p))


def mixed(first: Any, second: Any, seed: int, **parameters: Any) -> tuple[Any, float]:
    return EventMix(**parameters)(first, second, np.random.default_rng(seed), SIZE)


def test_events_come_from_either_and_the_label_counts_them() -> None:
    first, second = recording(1, 3000, p=1, start=500), recording(2, 1000, p=0, start=10**9)
    for seed in range(40):
        events, weight = mixed(first, second, seed)
        ours, theirs = events[events["p"] == 1], events[events["p"] == 0]
        assert set(ours.tolist()) <= set(first.tolist())
        back = theirs.copy()
        back["t"] += 10**9 - 500
        assert set(back.tolist()) <= set(second.tolist())
        assert (np.diff(events["t"]) >= 0).all()
        shares = len(ours) / 3000, len(theirs) / 1000
        assert weight == pytest.approx(shares[0] / sum(shares))
        # uniform recordings: what the mask takes of one it leaves of the other
        assert sum(shares) == pytest.approx(1, abs=0.08)


def test_the_mask_is_one_region_for_both() -> None:
    first = recording(1, 4000, p=1)
    second = first.copy()
    second["p"] = 0
    for seed in range(20):
        events, _ = mixed(first, second, seed)
        assert len(events) == 4000
        together = events.copy()
        together["p"] = 1
        assert sorted(together.tolist()) == sorted(first.tolist())


def test_shares_follow_the_beta_distribution() -> None:
    first = recording(1, 2000, p=1)
    second = recording(2, 2000, p=0)
    weights = np.array([mixed(first, second, seed)[1] for seed in range(300)])
    assert abs(weights.mean() - 0.5) < 0.06
    # uniform on 0 to 1
    assert abs(weights.std() - np.sqrt(1 / 12)) < 0.04
    narrow = np.array([mixed(first, second, seed, alpha=50)[1] for seed in range(100)])
    assert narrow.std() < 0.08


def test_the_label_by_distance_equals_plain_loops() -> None:
    first, second = recording(1, 300, p=1), recording(2, 200, p=0, start=77, span=30_000)

    def counted(events: Any, start: int) -> Any:
        frames = np.zeros((10, 2, SIZE[1], SIZE[0]))
        for t, x, y, p in events.tolist():
            frames[min((t - start) * 10 // 50_000, 9), p, y, x] += 1
        means = np.zeros_like(frames)
        for y in range(SIZE[1]):
            for x in range(SIZE[0]):
                near = frames[:, :, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
                means[:, :, y, x] = near.sum((2, 3)) / 9
        return means

    for seed in range(5):
        events, weight = mixed(first, second, seed, label="distance")
        d1 = ((counted(first, 0) - counted(events, 0)) ** 2).mean()
        d2 = ((counted(second, 77) - counted(events, 0)) ** 2).mean()
        assert weight == pytest.approx(d2**2 / (d1**2 + d2**2))
        assert np.array_equal(events, mixed(first, second, seed)[0])


@pytest.mark.parametrize("label", ["events", "distance"])
def test_empty_recordings_and_equal_ones(label: str) -> None:
    none, some = recording(1, 0, p=1), recording(2, 50, p=0, start=9)
    events, weight = mixed(none, none, 1, label=label)
    assert events.size == 0
    assert 0 < weight < 1
    events, weight = mixed(none, some, 3, label=label)
    assert 0 <= weight <= 1
    assert events.size == 0 or events["t"][0] >= 0
    events, weight = mixed(some, some, 3, label=label)
    assert sorted(events.tolist()) == sorted(some.tolist())
    assert 0 < weight < 1


def test_nothing_is_mutated_and_seeds_decide() -> None:
    first, second = recording(1, 300, p=1), recording(2, 200, p=0)
    before = first.copy(), second.copy()
    for events in (first, second):
        events.flags.writeable = False
    results = [mixed(first, second, seed)[0].tobytes() for seed in (1, 1, 2)]
    assert results[0] == results[1] != results[2]
    assert np.array_equal(first, before[0])
    assert np.array_equal(second, before[1])


def test_wrong_values_are_explained() -> None:
    with pytest.raises(ValueError, match=r"alpha must be a number above 0, got 0"):
        EventMix(alpha=0)
    with pytest.raises(ValueError, match=r"label must be 'events' or 'distance', got 'area'"):
        EventMix(label="area")  # type: ignore[arg-type]
    off = make_events(t=[0], x=[20], y=[0], p=[0])
    with pytest.raises(FormatError, match=r"EventMix, second recording: event 0 has x = 20"):
        mixed(recording(1, 5, p=1), off, 0)
    with pytest.raises(ValueError, match=r"probability must be from 0 to 1, got 2"):
        Mixed(None, probability=2)  # type: ignore[arg-type]


@notice
def test_a_dataset_of_mixtures(nmnist_root: Path) -> None:
    plain = NMNIST(nmnist_root, augment=Flip())
    dataset = Mixed(plain, EventMix(alpha=2), probability=0.7)
    assert len(dataset) == 12
    items = [dataset[i] for i in range(12)]
    for i, (x, y) in enumerate(items):
        assert x.shape == (10, 2, 34, 34)
        assert y.dtype == torch.float32
        assert y.sum() == pytest.approx(1)
        if not torch.equal(x, plain[i][0]):
            continue
        assert y[plain.targets[i]] == 1
    kinds = [int((y > 0).sum()) for _, y in items]
    assert set(kinds) == {1, 2}
    never = Mixed(plain, probability=0)
    assert all(torch.equal(never[i][0], plain[i][0]) for i in range(12))
    twin = pickle.loads(pickle.dumps(dataset))
    for i in reversed(range(12)):
        assert torch.equal(twin[i][0], items[i][0])
        assert torch.equal(twin[i - 12][1], items[i][1])
    dataset.set_epoch(1)
    assert plain.epoch == 1
    assert any(not torch.equal(dataset[i][0], items[i][0]) for i in range(12))


@notice
def test_transforms_and_crops_of_the_dataset_are_kept(nmnist_root: Path) -> None:
    plain = NMNIST(
        nmnist_root,
        augment=Crop((20, 30)),
        transform=lambda x: x.flatten(1),
        target_transform=lambda y: y.argmax(),
    )
    assert plain.sample_shape == (10, 2, 30, 20)
    assert plain.size == (20, 30)
    x, y = Mixed(plain, probability=1)[3]
    assert x.shape == (10, 2 * 30 * 20)
    assert y.dim() == 0
    loader = DataLoader(Mixed(NMNIST(nmnist_root)), batch_size=6)
    assert [tuple(y.shape) for _, y in loader] == [(6, 10), (6, 10)]
