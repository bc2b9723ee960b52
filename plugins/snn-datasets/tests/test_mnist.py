from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import MNIST, DownloadError, FormatError, MissingData
from snn_datasets.sets.idx import idx_shape, read_idx


def write_idx(path: Path, array: np.ndarray[Any, Any]) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes(), mtime=0))
    return path.read_bytes()


@pytest.fixture
def small(tmp_path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Four files of the MNIST layout, with 10,000 test items of tiny entropy."""
    random = np.random.default_rng(3)
    arrays = {
        "train-images-idx3-ubyte.gz": random.integers(0, 256, (6, 28, 28)),
        "train-labels-idx1-ubyte.gz": random.integers(0, 10, 6),
        "t10k-images-idx3-ubyte.gz": np.arange(10_000)[:, None, None] // np.full((28, 28), 40),
        "t10k-labels-idx1-ubyte.gz": np.arange(10_000) % 10,
    }
    for name, array in arrays.items():
        write_idx(tmp_path / name, array)
    return arrays


unknown = pytest.mark.filterwarnings("ignore:.*is not the published file")


@unknown
@pytest.mark.usefixtures("small")
def test_the_splits_take_the_right_items(
    small: dict[str, np.ndarray[Any, Any]], tmp_path: Path
) -> None:
    train, test = MNIST(tmp_path), MNIST(tmp_path, split="test")
    assert (len(train), len(test)) == (6, 10_000)
    for i in range(6):
        x, y = train[i]
        expected = small["train-images-idx3-ubyte.gz"][i] / np.float32(255)
        np.testing.assert_array_equal(x.numpy(), expected[None].astype(np.float32))
        assert y == small["train-labels-idx1-ubyte.gz"][i]
    part_train = MNIST(tmp_path, protocol="t10k_8k_2k")
    part_test = MNIST(tmp_path, protocol="t10k_8k_2k", split="test")
    assert (len(part_train), len(part_test)) == (8_000, 2_000)
    assert part_test[0][0].eq(test[8_000][0]).all()
    assert part_train.targets.tolist() + part_test.targets.tolist() == test.targets.tolist()


@unknown
def test_torchvision_folders_are_found(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    write_idx(raw / "train-images-idx3-ubyte.gz", np.zeros((2, 28, 28)))
    write_idx(raw / "train-labels-idx1-ubyte.gz", np.zeros(2))
    assert len(MNIST(tmp_path)) == 2


@unknown
@pytest.mark.usefixtures("small")
def test_images_are_loaded_late_and_not_pickled(tmp_path: Path) -> None:
    dataset = MNIST(tmp_path, split="test")
    before = len(pickle.dumps(dataset))
    first = dataset[5][0]
    assert len(pickle.dumps(dataset)) == before < 200_000
    assert pickle.loads(pickle.dumps(dataset))[5][0].equal(first)


@pytest.mark.usefixtures("small")
def test_an_unknown_file_gives_one_notice_per_process(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"is not the published file: it has .* bytes") as caught:
        [MNIST(tmp_path, protocol="t10k_8k_2k", split=split) for split in ("train", "test") * 2]
    assert len(caught) == 2  # images and labels


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingData) as caught:
        MNIST(tmp_path, protocol="t10k_8k_2k")
    base = "https://storage.googleapis.com/cvdf-datasets/mnist"
    mirror = "https://ossci-datasets.s3.amazonaws.com/mnist"
    images, labels = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
    assert str(caught.value).splitlines() == [
        f"MNIST: {images}, {labels} are missing; looked in {tmp_path} and {tmp_path}/MNIST/raw. "
        "Pass download=True to fetch what is missing, or root=... if you have it elsewhere.",
        "By hand:",
        f"  get {images} (1.6 MB) from {base}/{images} or {mirror}/{images}",
        f"  get {labels} (4.5 kB) from {base}/{labels} or {mirror}/{labels}",
        f"  and put them, not unpacked, into {tmp_path}",
        f"  (or type: snn data prepare mnist --from FOLDER|ZIP --root {tmp_path})",
        "MNIST: 11.6 MB in all, licence CC BY-SA 3.0, see http://yann.lecun.com/exdb/mnist/",
    ]


def test_the_default_folder_is_below_snn_data(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=rf"looked in {tmp_path}/data/mnist and"):
        MNIST()


def test_offline_a_missing_file_is_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNN_DATA_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"SNN_DATA_OFFLINE is set, so nothing is downloaded"):
        MNIST(tmp_path, download=True)


@pytest.mark.usefixtures("small")
def test_download_fetches_what_is_missing(
    server: Any, answer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def served(archive: Any) -> Any:
        body = (tmp_path / archive.file).read_bytes()
        url = server.url(f"/{archive.file}", answer(body))
        md5 = hashlib.md5(body).hexdigest()
        return replace(archive, urls=(url,), bytes=len(body), md5=md5, sha256=None)

    info = replace(MNIST.info, archives=tuple(map(served, MNIST.info.archives)))
    monkeypatch.setattr(MNIST, "info", info)
    root = tmp_path / "fresh"
    assert len(MNIST(root, download=True)) == 6
    assert [path for path, _ in server.requests] == [
        "/train-images-idx3-ubyte.gz",
        "/train-labels-idx1-ubyte.gz",
    ]
    server.answers["/t10k-images-idx3-ubyte.gz"] = [answer(status=403)]
    with pytest.raises(DownloadError, match=r"HTTP 403 Forbidden\nBy hand:\n  get t10k-images"):
        MNIST(root, split="test", download=True)


@unknown
def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", np.zeros((2, 28, 28)))
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.zeros(3))
    with pytest.raises(FormatError, match=r"an array \[2, 28, 28\], the labels .* \[3, 28, 28\]"):
        MNIST(tmp_path)


def test_the_small_protocol_needs_the_whole_test_file(tmp_path: Path) -> None:
    for name, shape in (("images-idx3", (50, 28, 28)), ("labels-idx1", (50,))):
        write_idx(tmp_path / f"t10k-{name}-ubyte.gz", np.zeros(shape))
    with (
        pytest.warns(UserWarning, match="published"),
        pytest.raises(FormatError, match=r"t10k_8k_2k .*needs 10000 .* holds 50"),
    ):
        MNIST(tmp_path, protocol="t10k_8k_2k")


@pytest.mark.parametrize("keep", [0, 3, 9, 14, 40, -1])
def test_cut_files_are_named(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "a.gz"
    body = write_idx(path, np.random.default_rng(0).integers(0, 256, (40, 5)))
    path.write_bytes(body[:keep])
    with pytest.raises(FormatError, match=r"a\.gz (is no whole gzip file|begins with)"):
        read_idx(path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (bytes([0, 0, 13, 1, 0, 0, 0, 1, 0]), r"begins with 00 00 0d 01, an idx file of bytes"),
        (bytes([0, 0, 8, 2, 0, 0, 0, 1]), r"ends within its header"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 3, 7]), r"holds 1 elements, its header announces 3 \(3,\)"),
    ],
)
def test_foreign_files_are_named(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(FormatError, match=text):
        read_idx(path)


def test_the_header_tells_the_shape(tmp_path: Path) -> None:
    write_idx(tmp_path / "a.gz", np.zeros((4, 2, 3)))
    assert idx_shape(tmp_path / "a.gz") == (4, 2, 3)
    (tmp_path / "b.gz").write_bytes(b"<html>")
    with pytest.raises(FormatError, match="is no whole gzip file"):
        idx_shape(tmp_path / "b.gz")


def test_the_real_files(shared: Path) -> None:
    root = shared / "mnist"
    train = MNIST(root, protocol="t10k_8k_2k")
    test = MNIST(root, protocol="t10k_8k_2k", split="test")
    assert (len(train), len(test)) == (8_000, 2_000)
    assert train.targets[:20].tolist() == [
        7,
        2,
        1,
        0,
        4,
        1,
        4,
        9,
        5,
        9,
        0,
        6,
        9,
        0,
        1,
        5,
        9,
        7,
        3,
        4,
    ]
    x, _ = train[0]
    assert x.shape == (1, 28, 28)
    assert x.min() == 0
    assert 0.9 < x.max() <= 1
    official = MNIST(root, split="test")
    assert official[8_000][0].equal(test[0][0])
    with pytest.raises(MissingData, match=r"train-images-idx3-ubyte\.gz is missing"):
        MNIST(root)
