from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from snn_datasets.errors import FormatError
from snn_datasets.splits import leave_one_out, listed, per_class_first, stratified


def test_a_stratified_draw_takes_its_share_of_each_class() -> None:
    targets = np.repeat([0, 1, 2], [100, 50, 7])
    test = stratified(targets, 0.1, seed=3)
    assert [int(test[targets == c].sum()) for c in range(3)] == [10, 5, 1]
    assert np.array_equal(test, stratified(targets.tolist(), 0.1, seed=3))
    assert not np.array_equal(test, stratified(targets, 0.1, seed=4))


def test_a_stratified_draw_stays_what_it_is() -> None:
    """Frozen: results are published under the name of such a split."""
    targets = np.arange(30) % 3
    assert stratified(targets, 0.2).nonzero()[0].tolist() == FROZEN


FROZEN = [2, 13, 24, 26, 27, 28]


def test_the_order_of_classes_does_not_matter() -> None:
    targets = np.arange(30) % 3
    other = np.array([7, 3, 5])[targets]
    assert np.array_equal(stratified(targets, 0.3), stratified(other, 0.3))


def test_the_first_of_each_class() -> None:
    random = np.random.default_rng(0)
    targets = random.permutation(np.repeat(np.arange(4), 9))
    test = per_class_first(targets, 3)
    for label in range(4):
        assert test[targets == label].tolist() == [True] * 3 + [False] * 6


def test_one_group_is_left_out() -> None:
    speakers = np.array(["jo", "al", "jo", "bo"])
    assert leave_one_out(speakers, "jo").tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: stratified([0, 1], 1.0), "stratified: share must be between 0 and 1, got 1.0"),
        (lambda: stratified([[0, 1]], 0.5), r"targets have the shape \(1, 2\), expected one"),
        (lambda: per_class_first([0, 1], 0), "per_class_first: count must be at least 1, got 0"),
        (lambda: per_class_first([0, 0, 1], 1), "class 1 has 1 items; with 1 of them test, none"),
        (lambda: leave_one_out([1, 2], 3), "no item is of group 3; groups are 1, 2"),
        (lambda: leave_one_out([1, 1], 1), "all items are of group 1; none is left"),
    ],
)
def test_what_cannot_be_divided_is_refused(call, text) -> None:
    with pytest.raises(ValueError, match=text):
        call()


NAMES = ["a/1.bin", "a/2.bin", "b/1.bin", "a/2.bin"]


def test_a_file_lists_items(tmp_path: Path) -> None:
    text, table = tmp_path / "test.txt", tmp_path / "test.json"
    text.write_text("# blurred\n\n b/1.bin \na/2.bin # two cuts\n")
    table.write_text(json.dumps(["b/1.bin", "a/2.bin"]))
    # An item of each name: a file may hold several recordings.
    for path in (text, table, str(text)):
        assert listed(NAMES, path).tolist() == [False, True, True, True]


@pytest.mark.parametrize(
    ("file", "body", "text"),
    [
        ("a.txt", "c.bin", r"a\.txt lists 'c.bin', which is no item; .* such as 'a/1.bin', 'a/2"),
        ("a.txt", "b/1.bin\nb/1.bin", r"a\.txt lists 'b/1.bin' twice"),
        ("a.json", "[1", r"a\.json is no JSON \(Expecting"),
        ("a.json", "[1]", r"a\.json holds no list of names of items"),
        ("a.json", '{"test": []}', r"a\.json holds no list of names of items"),
    ],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, file: str, body: str, text: str) -> None:
    (tmp_path / file).write_text(body)
    with pytest.raises(FormatError, match=text):
        listed(NAMES, tmp_path / file)
