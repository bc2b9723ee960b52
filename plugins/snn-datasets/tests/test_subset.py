from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from snn_datasets import NMNIST, Digits
from snn_datasets.splits import leave_one_out
from snn_datasets.subset import Subset, divide


def test_a_subset_holds_items_of_the_whole() -> None:
    whole = Digits()
    some = Subset(whole, [5, 3, -1], name="three")
    assert some.indices.tolist() == [5, 3, len(whole) - 1]
    assert some.targets.tolist() == whole.targets[[5, 3, -1]].tolist()
    assert (len(some), some.classes, some.sample_shape) == (3, whole.classes, (1, 8, 8))
    for i, place in ((0, 5), (1, 3), (2, -1), (-3, 5)):
        assert some[i][0].equal(whole[place][0])
        assert some[i][1] == whole[place][1]
    for index in (3, -4):
        with pytest.raises(IndexError, match=f"index {index} is out of range: 3 items"):
            some[index]
    assert repr(some).startswith("3 items (protocol='three') of Digits(split='train'")
    assert Subset(whole, [1]).protocol == "stratified"


@pytest.mark.filterwarnings("ignore:.*is not the published file")
def test_chance_in_an_item_is_that_of_the_whole(nmnist_root: Path) -> None:
    whole = NMNIST(nmnist_root, shift=3)
    part = pickle.loads(pickle.dumps(Subset(whole, [7, 2])))
    for epoch in (0, 4):
        whole.set_epoch(epoch)
        part.set_epoch(epoch)
        assert part[0][0].equal(whole[7][0])
    assert np.array_equal(part.events(1), whole.events(2))
    with pytest.raises(IndexError):
        part.events(2)


def test_a_dataset_is_divided_by_groups() -> None:
    whole = Digits()
    writers = np.arange(len(whole)) // 100
    train, test = divide(whole, leave_one_out(writers, 4), name="without writer 4")
    assert test.indices.tolist() == list(range(400, 500))
    assert sorted([*train.indices, *test.indices]) == list(range(len(whole)))
    assert (train.split, test.split) == ("train", "test")
    assert {train.protocol, test.protocol} == {"without writer 4"}
    again = divide(whole, np.arange(400, 500), name="by position")
    assert np.array_equal(again[0].indices, train.indices)


@pytest.mark.parametrize(
    ("items", "error", "text"),
    [
        ([True, False], ValueError, r"a mask of shape \(2,\) for a dataset of 1438 items"),
        ([[1]], ValueError, r"a mask or a list of positions, got int64 of shape \(1, 1\)"),
        ([0.5], ValueError, "a mask or a list of positions, got float64"),
        ([0, 1438], IndexError, "position 1438 is out of range: the dataset has 1438 items"),
        ([0, -1438], ValueError, "positions that differ; some come twice"),
    ],
)
def test_other_items_are_refused(items, error, text) -> None:
    with pytest.raises(error, match=text):
        Subset(Digits(), items)


def test_no_items_are_legal() -> None:
    assert len(Subset(Digits(), [])) == 0
