"""Fashion-MNIST, and images shown step by step."""

from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snncore
from snn_datasets import MNIST, FashionMNIST, MissingData, SequentialMNIST
from snncore.testing.dataset import DatasetConformance

pytestmark = pytest.mark.filterwarnings("ignore:.*is not the published file")


def write_idx(path: Path, array: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes(), mtime=0))


@pytest.fixture
def images(tmp_path: Path) -> Any:
    random = np.random.default_rng(5)
    pixels = random.integers(0, 256, (2, 9, 28, 28))
    labels = np.stack([np.arange(9), (np.arange(9) + 4) % 10])
    for stem, image, label in zip(("train", "t10k"), pixels, labels, strict=True):
        write_idx(tmp_path / f"{stem}-images-idx3-ubyte.gz", image)
        write_idx(tmp_path / f"{stem}-labels-idx1-ubyte.gz", label)
    return pixels


def test_fashion_mnist_reads_the_same_layout(images: Any, tmp_path: Path) -> None:
    dataset = FashionMNIST(tmp_path, split="test")
    x, y = dataset[2]
    np.testing.assert_array_equal(x.numpy()[0], (images[1][2] / np.float32(255)).astype("f4"))
    assert (y, dataset.classes[y]) == (6, "Shirt")
    assert len(set(dataset.classes)) == 10
    assert MNIST(tmp_path, split="test").classes[6] == "6"
    assert repr(dataset).startswith("FashionMNIST(split='test'")


@pytest.mark.usefixtures("images")
def test_fashion_mnist_has_folders_of_its_own(tmp_path: Path) -> None:
    raw = tmp_path / "data" / "fashion_mnist" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for file in tmp_path.glob("*.gz"):
        file.rename(raw / file.name)
    assert len(FashionMNIST()) == 9
    assert len(SequentialMNIST(source="fashion_mnist")) == 9
    with pytest.raises(MissingData, match=r"MNIST: .* are missing; looked in .*/data/mnist and"):
        SequentialMNIST()
    with pytest.raises(MissingData, match=r"get train-images-idx3-ubyte\.gz \(26\.4 MB\) from htt"):
        FashionMNIST(tmp_path)


@pytest.mark.parametrize("source", ["mnist", "fashion_mnist"])
def test_pixels_and_rows_come_in_order(images: Any, tmp_path: Path, source: Any) -> None:
    pixels = SequentialMNIST(tmp_path, source=source)
    rows = SequentialMNIST(tmp_path, source=source, step="row", split="test")
    assert pixels.sample_shape == (784, 1, 1, 1)
    assert rows.sample_shape == (28, 1, 1, 28)
    for t in (0, 1, 29, 783):
        assert pixels[3][0][t].item() == np.float32(images[0][3][t // 28][t % 28] / 255)
    for t in (0, 5, 27):
        np.testing.assert_array_equal(
            rows[4][0][t, 0, 0].numpy(), (images[1][4][t] / np.float32(255)).astype("f4")
        )
    assert [y for _, y in rows] == [(i + 4) % 10 for i in range(9)]
    assert pixels.classes == (FashionMNIST if source == "fashion_mnist" else MNIST).names


def test_the_permutation_is_one_for_all_and_stays(images: Any, tmp_path: Path) -> None:
    dataset = SequentialMNIST(tmp_path, permuted=True, seed=3)
    # published results stay comparable only while these stay
    assert dataset.permutation[:6].tolist() == [693, 85, 647, 392, 765, 14]
    assert sorted(dataset.permutation.tolist()) == list(range(784))
    flat = (images[0][7].reshape(-1)[dataset.permutation] / np.float32(255)).astype("f4")
    np.testing.assert_array_equal(dataset[7][0].flatten().numpy(), flat)
    rows = SequentialMNIST(tmp_path, permuted=True, step="row")
    np.testing.assert_array_equal(rows[7][0].flatten().numpy(), flat)
    other = SequentialMNIST(tmp_path, permuted=True, permutation_seed=1)
    assert other.permutation.tolist() != dataset.permutation.tolist()
    plain = SequentialMNIST(tmp_path)
    assert plain.permutation.tolist() == list(range(784))
    assert pickle.loads(pickle.dumps(dataset))[7][0].equal(dataset[7][0])


@pytest.mark.usefixtures("images")
def test_built_by_name(tmp_path: Path) -> None:
    dataset = snncore.build("dataset", "sequential_mnist", root=str(tmp_path), permuted=True)
    assert snncore.config_of(dataset)["permutation_seed"] == 0
    assert dataset.folder == tmp_path
    with pytest.raises(snncore.errors.ConfigError, match=r"step: input should be 'pixel' or 'row'"):
        snncore.build("dataset", "sequential_mnist", root=str(tmp_path), step="column")


def test_the_real_images(shared: Path) -> None:
    one = MNIST(shared / "mnist", protocol="t10k_8k_2k")
    steps = SequentialMNIST(shared / "mnist", protocol="t10k_8k_2k")
    assert len(steps) == 8_000
    assert steps[11][0].flatten().equal(one[11][0].flatten())


def small_idx(root: Path, count: int = 12) -> Path:
    """Four files with ``count`` random images each."""
    random = np.random.default_rng(8)
    for stem in ("train", "t10k"):
        write_idx(root / f"{stem}-images-idx3-ubyte.gz", random.integers(0, 256, (count, 28, 28)))
        write_idx(root / f"{stem}-labels-idx1-ubyte.gz", np.arange(count) % 10)
    return root


class TestFashionMNIST(DatasetConformance):
    component = "snn-datasets/fashion_mnist"

    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        self.params = {"root": str(small_idx(tmp_path / "idx"))}


class TestSequentialMNIST(DatasetConformance):
    component = "snn-datasets/sequential_mnist"

    @pytest.fixture(autouse=True, params=["pixel", "row"])
    def _files(self, tmp_path: Path, request: pytest.FixtureRequest) -> None:
        root = str(small_idx(tmp_path / "idx"))
        self.params = {"root": root, "step": request.param, "permuted": True}
