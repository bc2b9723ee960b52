"""Drawn recordings: closed forms of what is drawn, and that classes can be told apart."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import snncore
from snn_datasets import Synthetic
from snn_datasets.augment import Flip
from snn_datasets.sets.motion import circle, moving_bar, moving_disk, poisson, straight
from snn_datasets.sets.synthetic import poisson_rates
from snncore.errors import ConfigError
from snncore.testing.dataset import DatasetConformance

PATTERNS = ("bars", "gestures", "poisson")
SIZE = (9, 7)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_bar_to_the_right_passes_column_by_column() -> None:
    events = moving_bar(rng(), SIZE, degrees=0, width=2, duration_us=1000)
    assert len(events) == 2 * 63
    for x in range(9):
        column = events[events["x"] == x]
        # the front edge needs 10 steps to be two pixels beyond the last column
        assert set(column["t"][column["p"] == 1].tolist()) == {100 * x}
        assert set(column["t"][column["p"] == 0].tolist()) == {100 * (x + 2)}
        assert sorted(column["y"].tolist()) == sorted([*range(7)] * 2)


@pytest.mark.parametrize("degrees", range(0, 360, 45))
def test_a_bar_moves_in_its_direction(degrees: int) -> None:
    events = moving_bar(rng(), (32, 32), degrees=degrees, width=3, duration_us=10_000)
    on = events[events["p"] == 1]
    t, x, y = (on[field].astype(float) for field in "txy")
    velocity = complex(np.cov(t, x)[0, 1], -np.cov(t, y)[0, 1])
    turn = (
        velocity
        / abs(velocity)
        / complex(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))
    )
    assert turn == pytest.approx(1, abs=0.01)
    assert (np.diff(events["t"]) >= 0).all()


def test_a_disk_lights_each_pixel_as_often_as_it_darkens_it() -> None:
    path = straight((-20.0, 3.0), (40.0, 3.0))
    events = moving_disk(rng(), SIZE, path, radius=2.5, duration_us=128_000)
    covered = [(x, y) for x in range(9) for y in range(7) if abs(y - 3) <= 2.5]
    for p in (0, 1):
        sent = events[events["p"] == p]
        assert sorted(zip(sent["x"].tolist(), sent["y"].tolist(), strict=True)) == sorted(covered)
    for x, y in covered:
        off, on = (
            events[(events["x"] == x) & (events["y"] == y) & (events["p"] == p)]["t"]
            for p in (0, 1)
        )
        reach = math.sqrt(2.5**2 - (y - 3) ** 2)
        # 60 pixels in 128 ms, and two steps of 1 ms for the draw and the grid of the path
        assert on[0] == pytest.approx((20 + x - reach) / 60 * 128_000, abs=2000)
        assert off[0] == pytest.approx((20 + x + reach) / 60 * 128_000, abs=2000)


def test_a_circle_turns_as_said() -> None:
    path = circle((10, 20), 5, start=math.pi / 2, turns=0.25)
    assert path[0] == pytest.approx((10, 15))
    assert path[-1] == pytest.approx((5, 20))
    assert np.hypot(*(path - (10, 20)).T) == pytest.approx(np.full(129, 5))


def test_poisson_events_have_their_rates() -> None:
    rates = np.zeros((4, 2, 7, 9))
    rates[1, 1, 2, 3] = 40_000
    rates[3, 0, 6, 8] = 10_000
    events = poisson(rng(), rates, duration_us=1_000_000)
    one = events[events["p"] == 1]
    assert set(zip(one["x"].tolist(), one["y"].tolist(), strict=True)) == {(3, 2)}
    assert abs(len(one) - 10_000) < 400
    assert 250_000 <= one["t"].min() < one["t"].max() < 500_000
    other = events[events["p"] == 0]
    assert set(zip(other["x"].tolist(), other["y"].tolist(), strict=True)) == {(8, 6)}
    assert abs(len(other) - 2_500) < 200
    assert other["t"].min() >= 750_000
    assert (np.diff(events["t"]) >= 0).all()
    assert poisson(rng(), np.zeros((1, 2, 7, 9)), duration_us=1000).size == 0


def test_the_rates_of_a_class_are_fixed() -> None:
    for label in range(10):
        rates = poisson_rates(label)
        assert 1 <= rates.min() < rates.max() <= 100
        assert np.array_equal(rates, poisson_rates(label))
        blocks = rates.reshape(4, 2, 8, 4, 8, 4)
        assert np.array_equal(blocks.max((3, 5)), blocks.min((3, 5)))
    assert not np.array_equal(poisson_rates(0), poisson_rates(1))
    drawn = np.random.RandomState(7).uniform(0, 2, 512)
    assert poisson_rates(7)[0, 0, ::4, ::4].ravel() == pytest.approx(10 ** drawn[:64])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_recordings(pattern: Any) -> None:
    dataset = Synthetic(pattern=pattern)
    assert (len(dataset), len(Synthetic(split="test", pattern=pattern))) == (1000, 200)
    assert set(np.bincount(dataset.targets)) <= {
        1000 // len(dataset.classes),
        1000 // len(dataset.classes) + 1,
    }
    for i in range(12):
        events = dataset.events(i)
        assert (np.diff(events["t"]) >= 0).all()
        assert events["t"][0] >= 0
        assert events["t"][-1] <= 100_000
        assert dataset[i][0].sum() == len(events) > 100
        again = Synthetic(pattern=pattern, count=20).events(i)
        assert np.array_equal(events, again)
        for other in (Synthetic(pattern=pattern, seed=1), Synthetic(pattern=pattern, split="test")):
            assert not np.array_equal(other.events(i), events)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_classes_can_be_told_apart(pattern: Any) -> None:
    train, test = (
        Synthetic(pattern=pattern, split=s, count=n, T=8) for s, n in (("train", 400), ("test", 80))
    )
    means = np.zeros((len(train.classes), train[0][0].numel()))
    for x, y in train:
        means[y] += x.flatten().numpy() / x.norm().item()
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    right = sum(int((means @ x.flatten().numpy()).argmax()) == y for x, y in test)
    # the nearest mean is a poor classifier of what moves from place to place
    assert right / len(test) > {"bars": 0.9, "gestures": 0.7, "poisson": 0.95}[pattern]


def test_noise() -> None:
    quiet, loud = (Synthetic(noise_hz=hz).events(5) for hz in (0, 100))
    assert abs(len(loud) - len(quiet) - 100 * 0.1 * 1024) < 150


def test_names_and_parameters() -> None:
    assert Synthetic().classes[3] == "135"
    assert Synthetic(pattern="gestures", count=1).classes[4] == "clockwise"
    dataset = snncore.build("dataset", "synthetic", pattern="poisson", count=30, T=3)
    assert snncore.config_of(dataset)["pattern"] == "poisson"
    assert dataset.sample_shape == (3, 2, 32, 32)
    with pytest.raises(ConfigError, match=r"pattern: input should be 'bars', 'gestures' or 'pois"):
        Synthetic(pattern="noise")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"count: input should be greater than 0, got 0"):
        Synthetic(count=0)


class TestBars(DatasetConformance):
    component = "snn-datasets/synthetic"
    params: ClassVar = {"augment": Flip()}


class TestGestures(DatasetConformance):
    component = "snn-datasets/synthetic"
    params: ClassVar = {"pattern": "gestures", "T": 6, "count": 30}


class TestPoisson(DatasetConformance):
    component = "snn-datasets/synthetic"
    params: ClassVar = {"pattern": "poisson", "T": 3, "by": "count"}


def test_nothing_is_written(tmp_path: Path) -> None:
    Synthetic(download=True)[0]
    assert not list(tmp_path.iterdir())
