from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import CIFAR10DVS, MissingData
from snn_datasets.splits import stratified


def numbers(dataset: CIFAR10DVS) -> list[tuple[int, int]]:
    """(label, number in the file name)"""
    paths = dataset.recordings.paths()
    found = [int(path.rpartition("_")[2].removesuffix(".aedat")) for path in paths]
    return list(zip(dataset.targets.tolist(), found, strict=True))


@pytest.fixture
def root(layouts: Any, tmp_path: Path) -> Path:
    """Names alone: 105 empty recordings of each class."""
    for name in CIFAR10DVS(layouts.cifar10_dvs(tmp_path, count=2)).classes:
        layouts.zipped(
            tmp_path / f"{name}.zip",
            ((f"{name}/cifar10_{name}_{i}.aedat", b"") for i in reversed(range(105))),
        )
    return tmp_path


def test_the_first_hundred_of_each_class_are_test(root: Path) -> None:
    test = CIFAR10DVS(root, split="test", protocol="first_100_test")
    assert numbers(test) == [(label, i) for label in range(10) for i in range(100)]
    train = CIFAR10DVS(root, protocol="first_100_test")
    assert numbers(train) == [(label, i) for label in range(10) for i in range(100, 105)]


def test_a_tenth_of_each_class_is_test(root: Path) -> None:
    train, test = CIFAR10DVS(root), CIFAR10DVS(root, split="test")
    assert np.bincount(test.targets).tolist() == [11] * 10
    everything = [(label, i) for label in range(10) for i in range(105)]
    assert sorted(numbers(train) + numbers(test)) == everything
    mask = stratified(np.repeat(np.arange(10), 105), 0.1, seed=0)
    assert numbers(test) == [row for row, chosen in zip(everything, mask, strict=True) if chosen]


def test_the_split_depends_on_no_seed(root: Path) -> None:
    assert numbers(CIFAR10DVS(root, seed=7)) == numbers(CIFAR10DVS(root))


def test_classes_may_be_unpacked_or_not(layouts: Any, tmp_path: Path) -> None:
    whole = CIFAR10DVS(layouts.cifar10_dvs(tmp_path))
    expected = [whole.events(i) for i in range(len(whole))]
    for name in ("cat", "truck"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as archive:
            archive.extractall(tmp_path / "unpacked")
        (tmp_path / f"{name}.zip").unlink()
    mixed = CIFAR10DVS(tmp_path)
    assert len(mixed) == 40
    assert all(np.array_equal(mixed.events(i), e) for i, e in enumerate(expected))


def test_all_missing_classes_are_named(layouts: Any, tmp_path: Path) -> None:
    layouts.cifar10_dvs(tmp_path)
    for name in ("cat", "truck"):
        (tmp_path / f"{name}.zip").unlink()
    with pytest.raises(MissingData, match=r"CIFAR10-DVS: cat\.zip, truck\.zip are missing"):
        CIFAR10DVS(tmp_path)


def test_the_real_layout(shared: Path, layouts: Any, tmp_path: Path) -> None:
    layouts.cifar10_dvs(tmp_path, count=0)
    for name in ("airplane", "cat"):
        (tmp_path / f"{name}.zip").unlink()
        source = shared / "layout_fixtures" / f"cifar10dvs_{name}.zip"
        (tmp_path / f"{name}.zip").symlink_to(source)
    train = CIFAR10DVS(tmp_path, protocol="stratified_9_1")
    assert train.targets.tolist() == [0] * 4 + [3] * 4
    with zipfile.ZipFile(tmp_path / "airplane.zip") as archive:
        data = archive.read("airplane/cifar10_airplane_0.aedat")
    words = np.frombuffer(data[len(data) % 8 + 8 * 100 :], ">u4").reshape(-1, 2)
    events = train.events(0)
    raw = words[:, 0] & 0x7FFF
    tail = len(words)
    np.testing.assert_array_equal(events["x"][-tail:], 127 - (raw >> 8))
    np.testing.assert_array_equal(events["y"][-tail:], 127 - (raw >> 1 & 127))
    np.testing.assert_array_equal(events["p"][-tail:], 1 - (raw & 1))
