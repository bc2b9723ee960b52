"""The platform's contract for datasets; files come from SNN_TEST_DATA where there are any."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from snncore.testing.dataset import DatasetConformance

DATA = Path(os.environ.get("SNN_TEST_DATA") or "missing")
needs = {
    name: pytest.mark.skipif(
        not (DATA / name).is_dir(), reason=f"SNN_TEST_DATA names no folder with {name}"
    )
    for name in ("mnist", "nmnist")
}


class TestDigits(DatasetConformance):
    component = "snn-datasets/digits"


class TestDigitsOfOtherWriters(DatasetConformance):
    component = "snn-datasets/digits"
    params = {"protocol": "last_writers"}


@needs["mnist"]
class TestMNIST(DatasetConformance):
    component = "snn-datasets/mnist"
    params = {"root": str(DATA / "mnist"), "protocol": "t10k_8k_2k"}


@needs["nmnist"]
@pytest.mark.filterwarnings("ignore:.*is not the published file")
class TestNMNIST(DatasetConformance):
    component = "snn-datasets/n_mnist"
    params = {"root": str(DATA / "nmnist"), "T": 4, "shift": 2}


@pytest.mark.filterwarnings("ignore:.*is not the published file")
class TestNMNISTOfSmallFiles(DatasetConformance):
    component = "snn-datasets/n_mnist"
    prepares = True

    @pytest.fixture(autouse=True)
    def _files(self, nmnist_root: Path) -> None:
        self.params = {"root": str(nmnist_root), "duration_us": 40_000}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is not the published file")
class TestNMNISTInFreshProcesses(DatasetConformance):
    component = "snn-datasets/n_mnist"
    start_methods = ("spawn", "forkserver")

    @pytest.fixture(autouse=True)
    def _files(self, nmnist_root: Path) -> None:
        self.params = {"root": str(nmnist_root), "T": 3, "shift": 2}


@needs["mnist"]
class TestSequentialMNIST(DatasetConformance):
    component = "snn-datasets/sequential_mnist"
    params = {"root": str(DATA / "mnist"), "protocol": "t10k_8k_2k", "permuted": True}
