from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snncore
from snn_datasets import FormatError, MissingData, read_events
from snncore.testing.dataset import DatasetConformance

h5py = pytest.importorskip("h5py")

LISTED = {
    "train": ["man-ae-a-1", "man-ae-b-12z", "woman-kg-a-o", "woman-kg-a-z", "man-ae-b-1"],
    "test": ["man-gr-a-9", "woman-sc-a-9z", "woman-sc-b-o"],
}
FILE = "n-tidigits.hdf5"


@pytest.fixture
def held(tmp_path: Path) -> dict[str, tuple[Any, Any]]:
    """A file laid out like the published one, and the times and channels of its recordings."""
    random = np.random.default_rng(5)
    found: dict[str, tuple[Any, Any]] = {}
    with h5py.File(tmp_path / FILE, "w") as h5:
        for split, names in LISTED.items():
            h5[f"{split}_labels"] = np.array([name.encode() for name in names])
            for name in names:
                n = int(random.integers(15, 40))
                t, x = np.sort(random.uniform(0, 0.9, n)), random.integers(0, 64, n)
                h5[f"{split}_timestamps/{name}"] = t
                h5[f"{split}_addresses/{name}"] = x
                found[name] = t, x
    return found


def make(root: Path, **params: Any) -> Any:
    return snncore.build("dataset", "n_tidigits", root=root, **params)


def test_single_digits_are_listed_with_labels_and_speakers(held: Any, tmp_path: Path) -> None:
    train, test = make(tmp_path), make(tmp_path, split="test")
    assert train.targets.tolist() == [1, 0, 10, 1]
    assert [train.classes[i] for i in test.targets] == ["9", "o"]
    assert train.recordings.columns["speaker"].tolist() == [
        "man-ae",
        "woman-kg",
        "woman-kg",
        "man-ae",
    ]
    assert test.recordings.columns["sample"].tolist() == [0, 2]


def test_events_are_those_of_the_file(held: Any, tmp_path: Path) -> None:
    dataset = make(tmp_path, T=3, by="time")
    names = ["man-ae-a-1", "woman-kg-a-o", "woman-kg-a-z", "man-ae-b-1"]
    for i, name in enumerate(names):
        t, x = held[name]
        events = dataset.events(i)
        assert events["t"].tolist() == [round(seconds * 1e6) for seconds in t]
        assert events["x"].tolist() == x.tolist()
        assert not events["y"].any()
        assert not events["p"].any()
        frames = dataset[i][0]
        assert frames.shape == (3, 1, 1, 64)
        np.testing.assert_array_equal(frames.sum(0).flatten().numpy(), np.bincount(x, minlength=64))


def test_the_format_gives_the_same_recordings(held: Any, tmp_path: Path) -> None:
    dataset = make(tmp_path)
    for i, sample in enumerate(dataset.recordings.columns["sample"].tolist()):
        asked = {"name": "ntidigits", "sample": sample, "split": "train"}
        assert np.array_equal(dataset.events(i), read_events(tmp_path / FILE, asked))


def test_spikes_are_no_part_of_a_pickle(held: Any, tmp_path: Path) -> None:
    dataset = make(tmp_path)
    unread = pickle.dumps(dataset)
    dataset.events(0)
    assert len(pickle.dumps(dataset)) == len(unread)


def test_faults_are_named(held: Any, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"N-TIDIGITS18: n-tidigits\.hdf5 is missing; looked in"):
        make(tmp_path / "elsewhere")
    path = tmp_path / FILE
    with h5py.File(path, "a") as h5:
        h5["train_addresses/woman-kg-a-o"][2] = 64
        del h5["test_addresses"]
    where = re.escape(str(path))
    with pytest.raises(FormatError, match=f"{where}, train, single digits, sample 1: event 2 "):
        make(tmp_path).events(0)
    with pytest.raises(FormatError, match=f"{where} has no test_addresses"):
        make(tmp_path, split="test")
    with h5py.File(path, "a") as h5:
        del h5["train_labels"]
        h5["train_labels"] = np.array([b"man-ae-b-12z"])
    with pytest.raises(FormatError, match=f"{where} lists no recording of a single digit in train"):
        make(tmp_path)


class TestNTIDIGITS(DatasetConformance):
    component = "snn-datasets/n_tidigits"
    params = {"root": "from the fixture", "T": 4}
    prepares = True

    @pytest.fixture(autouse=True)
    def _file(self, held: Any, tmp_path: Path) -> None:
        self.root = tmp_path

    def make(self, **params: Any) -> Any:
        return super().make(**{**params, "root": self.root})
