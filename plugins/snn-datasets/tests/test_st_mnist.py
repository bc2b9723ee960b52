from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snncore
from snn_datasets import MissingData
from snncore.testing.dataset import DatasetConformance

savemat = pytest.importorskip("scipy.io").savemat
pytestmark = pytest.mark.filterwarnings("ignore:.*is not the published file")

FILE = "STMNIST dataset NUS Tee Research Group.zip"
OF_EACH = 5


def recording(digit: int, number: int) -> tuple[np.ndarray[Any, Any], list[tuple[int, ...]]]:
    """A matrix as published, and its events: one per column, then two of the same time."""
    random = np.random.default_rng([digit, number])
    taxels = random.permutation(100)[: digit + 5]
    t = np.sort(random.integers(0, 900_000, taxels.size))
    t[-1] = t[-2]
    signs = random.choice([-1, 1], taxels.size)
    train = np.zeros((101, taxels.size))
    train[taxels, np.arange(taxels.size)] = signs
    train[100] = t / 1e6
    rows = zip(t, taxels % 10, taxels // 10, signs > 0, strict=True)
    return train, [tuple(int(value) for value in row) for row in rows]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / FILE, "w") as archive:
        for digit in reversed(range(10)):
            for number in range(OF_EACH):
                packed = io.BytesIO()
                savemat(packed, {"spiketrain": recording(digit, number)[0]})
                archive.writestr(f"data_submission/{digit}/take{number}.mat", packed.getvalue())
        archive.writestr("data_submission/3/LUT_table.mat", b"no recording")
        archive.writestr("data_submission/readme.txt", b"text")
    return tmp_path


def make(root: Path, **params: Any) -> Any:
    return snncore.build("dataset", "st_mnist", root=root, **params)


def test_every_recording_is_in_one_split_with_its_events(root: Path) -> None:
    seen: list[str] = []
    for split, share in (("train", 4), ("test", 1)):
        dataset = make(root, split=split)
        assert np.bincount(dataset.targets).tolist() == [share] * 10
        for i, digit in enumerate(dataset.targets.tolist()):
            path = dataset.recordings.path(i)
            assert path.startswith(f"data_submission/{digit}/take")
            number = int(path.removesuffix(".mat")[-1])
            assert dataset.events(i).tolist() == recording(digit, number)[1]
            seen.append(path)
    assert len(seen) == len(set(seen)) == 10 * OF_EACH


def test_the_split_is_that_of_the_names_not_of_the_seed(root: Path) -> None:
    def names(**params: Any) -> list[str]:
        dataset = make(root, split="test", **params)
        return [dataset.recordings.path(i) for i in range(len(dataset))]

    assert names() == names(seed=7)


def test_the_unpacked_folder_is_read_too(root: Path) -> None:
    packed = [make(root).events(i) for i in range(40)]
    with zipfile.ZipFile(root / FILE) as archive:
        archive.extractall(root / FILE.removesuffix(".zip"))
    (root / FILE).unlink()
    unpacked = make(root)
    assert all(np.array_equal(unpacked.events(i), events) for i, events in enumerate(packed))


def test_the_form_to_fill_in_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"STMNIST dataset NUS Tee .*zip is missing") as caught:
        make(tmp_path)
    assert "https://scholarbank.nus.edu.sg/handle/10635/168106" in str(caught.value)


def test_a_real_recording(shared: Path, root: Path) -> None:
    body = (shared / "stmnist" / "tonic_sample_stmnist.mat").read_bytes()
    with zipfile.ZipFile(root / FILE, "w") as archive:
        for number in range(OF_EACH):
            archive.writestr(f"data_submission/6/{number}.mat", body)
    dataset = make(root, split="test", T=20)
    assert dataset.targets.tolist() == [6]
    assert dataset[0][0].shape == (20, 2, 10, 10)
    assert dataset[0][0].sum() == 2346


class TestSTMNIST(DatasetConformance):
    component = "snn-datasets/st_mnist"
    params = {"root": "from the fixture", "T": 4}
    prepares = True

    @pytest.fixture(autouse=True)
    def _file(self, root: Path) -> None:
        self.root = root

    def make(self, **params: Any) -> Any:
        return super().make(**{**params, "root": self.root})
