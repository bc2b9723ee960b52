"""A user's own recordings in class folders."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snncore
from snn_datasets import Folder, FormatError, MissingData, make_events, write_events
from snn_datasets.augment import Crop
from snncore.errors import ConfigError
from snncore.testing.dataset import DatasetConformance


def recording(seed: int, count: int = 50) -> Any:
    random = np.random.default_rng(seed)
    return make_events(
        t=np.sort(random.integers(0, 10_000, count)),
        x=random.integers(0, 34, count),
        y=random.integers(0, 30, count),
        p=random.integers(0, 2, count),
    )


def write(root: Path, *names: str, format: Any = None) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_events(path, recording(sum(name.encode()) * 31 + len(name)), format)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    write(folder, *(f"{label}/take{i}.bin" for label in (2, 10, 1) for i in range(1, 12)))
    return folder


def both(root: Path, **parameters: Any) -> tuple[Folder, Folder]:
    parameters = {"sensor_pixels": (34, 30), **parameters}
    return Folder(root, **parameters), Folder(root, split="test", **parameters)


def paths(dataset: Folder) -> list[str]:
    return [dataset.recordings.path(i) for i in range(len(dataset))]


def test_numeric_names_keep_their_order(root: Path) -> None:
    train, test = both(root)
    assert train.classes == test.classes == ("1", "2", "10")
    everything = sorted(
        paths(train) + paths(test),
        key=lambda p: [int("0" + "".join(filter(str.isdecimal, q))) for q in p.split("/")],
    )
    assert everything == [f"{c}/take{i}.bin" for c in (1, 2, 10) for i in range(1, 12)]
    for dataset in (train, test):
        for i, path in enumerate(paths(dataset)):
            label, name = path.split("/")
            assert dataset.classes[dataset[i][1]] == label
            assert np.array_equal(dataset.events(i), recording(sum(path.encode()) * 31 + len(path)))
            assert name.startswith("take")
        numbers = [int(path.split("take")[1].removesuffix(".bin")) for path in paths(dataset)]
        for label in range(3):
            mine = [n for n, y in zip(numbers, dataset.targets, strict=True) if y == label]
            assert mine == sorted(mine)


def test_the_stratified_split_is_drawn_by_its_seed_alone(root: Path) -> None:
    train, test = both(root, test_fraction=0.3)
    assert np.bincount(test.targets).tolist() == [3, 3, 3]
    assert np.bincount(train.targets).tolist() == [8, 8, 8]
    assert not set(paths(train)) & set(paths(test))
    assert paths(both(root, test_fraction=0.3, seed=5)[1]) == paths(test)
    assert paths(both(root, test_fraction=0.3, split_seed=1)[1]) != paths(test)


def test_folders_of_splits_are_used_where_they_are(tmp_path: Path) -> None:
    write(tmp_path, "train/b/1.bin", "train/a/deep/er/2.bin", "test/b/1.bin", "valid/b/3.bin")
    train, test = both(tmp_path)
    assert (train.protocol, test.protocol) == ("folders", "folders")
    assert paths(train) == ["train/a/deep/er/2.bin", "train/b/1.bin"]
    assert paths(test) == ["test/b/1.bin"]
    assert train.classes == test.classes == ("a", "b")
    assert train.targets.tolist() == [0, 1]
    assert test.targets.tolist() == [1]
    drawn = Folder(tmp_path, protocol="stratified", sensor_pixels=(34, 30), test_fraction=0.3)
    assert drawn.classes == ("test", "train", "valid")


def test_what_is_no_recording_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "a/1.bin", "a/2.bin", "b/1.bin", "b/2.bin", "loose.bin", ".hidden/1.bin")
    (tmp_path / "a" / "notes.txt").write_text("my notes")
    (tmp_path / "a" / ".1.bin").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    train, test = both(tmp_path, test_fraction=0.5)
    assert train.classes == ("a", "b")
    assert sorted(paths(train) + paths(test)) == ["a/1.bin", "a/2.bin", "b/1.bin", "b/2.bin"]


def test_formats_may_differ_and_say_the_sensor(tmp_path: Path) -> None:
    raw = {"name": "evt3", "width": 640, "height": 480}
    write(tmp_path, "a/1.raw", "a/2.raw", format=raw)
    write(tmp_path, "b/1.npz", "b/2.csv")
    train = Folder(tmp_path, test_fraction=0.5, T=4, augment=Crop((34, 30)))
    test = Folder(tmp_path, split="test", test_fraction=0.5)
    assert train.sensor == test.sensor == (640, 480)
    assert train.sample_shape == (4, 2, 30, 34)
    assert test[0][0].shape == (10, 2, 480, 640)
    for dataset in (train, test):
        for i, path in enumerate(paths(dataset)):
            assert len(dataset.events(i)) == 50, path
    twin = pickle.loads(pickle.dumps(test))
    assert twin.sensor == (640, 480)
    assert twin[1][0].equal(test[1][0])


def test_a_format_with_parameters(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        for i in range(2):
            np.save(tmp_path / label / f"{i}.npy", np.array([[3, 4, 1, 9]]))
    table = {"name": "npy", "columns": "xypt", "unit": "ms"}
    dataset = snncore.build(
        "dataset",
        "folder",
        root=str(tmp_path),
        event_format=table,
        sensor_pixels=[8, 8],
        test_fraction=0.5,
    )
    assert dataset.events(0).tolist() == [(9000, 3, 4, 1)]
    assert snncore.config_of(dataset)["event_format"] == table


def test_mistakes_are_explained(root: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"folder: no root was given; root is the folder with a"):
        Folder()
    with pytest.raises(MissingData, match=rf"there is no {tmp_path}/none; root is the folder"):
        Folder(tmp_path / "none")
    (tmp_path / "bare").mkdir()
    with pytest.raises(
        MissingData, match=rf"no recordings in {tmp_path}/bare; expected are <class>/<file>, with"
    ):
        Folder(tmp_path / "bare")
    with pytest.raises(
        FormatError, match=r"say the size of its .*; say sensor_pixels=\(width, hei"
    ):
        Folder(root)
    with pytest.raises(MissingData, match=r"protocol 'folders' needs the folders train and test"):
        Folder(root, protocol="folders", sensor_pixels=(34, 30))
    with pytest.raises(
        FormatError, match=r"split 'test' of .* has no recordings: of 33 in 3 class"
    ):
        Folder(root, split="test", sensor_pixels=(34, 30), test_fraction=0.01)
    with pytest.raises(ConfigError, match=r"test_fraction: input should be less than 1, got 1"):
        Folder(root, test_fraction=1)
    (root / "1" / "take1.bin").write_bytes(b"abcd")
    train, test = both(root)
    for dataset in (train, test):
        if "1/take1.bin" in paths(dataset):
            with pytest.raises(FormatError, match=r"take1\.bin has 4 bytes"):
                dataset[paths(dataset).index("1/take1.bin")]


class TestFolder(DatasetConformance):
    component = "snn-datasets/folder"

    @pytest.fixture(autouse=True)
    def _files(self, root: Path) -> None:
        self.params = {"root": str(root), "sensor_pixels": (34, 30), "T": 4}
