from __future__ import annotations

import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits

from snn_datasets import Digits

PIXELS, LABELS = load_digits(return_X_y=True)


def test_the_committed_split_is_what_its_rule_says() -> None:
    test: list[int] = []
    for digit in range(10):
        items = [i for i in range(len(LABELS)) if LABELS[i] == digit]
        items.sort(key=lambda i: hashlib.sha256(f"digits stratified 0 {i}".encode()).hexdigest())
        test += items[: round(len(items) / 5)]
    assert Digits(split="test").indices.tolist() == sorted(test)
    rest = set(range(1797)) - set(test)
    assert Digits(split="train").indices.tolist() == sorted(rest)


def test_the_split_is_stratified() -> None:
    share = np.bincount(Digits(split="test").targets) / np.bincount(LABELS)
    assert np.all(np.abs(share - 0.2) < 0.003)


def test_last_writers_are_the_last_fifth() -> None:
    train = Digits(protocol="last_writers")
    test = Digits(split="test", protocol="last_writers")
    assert train.indices.tolist() == list(range(1438))
    assert test.indices.tolist() == list(range(1438, 1797))


@pytest.mark.parametrize("protocol", ["stratified", "last_writers"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_items_are_the_images_of_scikit_learn(split: str, protocol: str) -> None:
    dataset = Digits(split=split, protocol=protocol)  # type: ignore[arg-type]
    assert len(dataset) == dataset.info.samples[split]
    for i, index in enumerate(dataset.indices):
        x, y = dataset[i]
        assert y == LABELS[index]
        np.testing.assert_array_equal(x.numpy() * 16, PIXELS[index].reshape(1, 8, 8))


def test_items_are_copies() -> None:
    dataset = Digits()
    before = dataset[0][0].clone()
    dataset[0][0].fill_(9)
    assert dataset[0][0].equal(before)
