from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import MNIST, NMNIST, FormatError, MissingData
from snn_datasets.archives.members import ZipMembers

pytestmark = pytest.mark.filterwarnings("ignore:.*is not the published file")


def test_items_are_in_the_order_of_mnist_with_labels_from_the_paths(nmnist_root: Path) -> None:
    train = NMNIST(nmnist_root)
    # The fixture puts recording n into the folder of digit (n - 1) modulo 10.
    assert train.targets.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert train.targets.dtype == np.int64
    assert [len(train.events(i)) for i in range(12)] == [41 + i for i in range(12)]


@pytest.mark.parametrize("by", ["count", "time"])
@pytest.mark.parametrize("T", [1, 10, 300])
def test_frames_hold_every_event(nmnist_root: Path, T: int, by: Any) -> None:
    dataset = NMNIST(nmnist_root, split="test", T=T, by=by)
    assert dataset.sample_shape == (T, 2, 34, 34)
    for i, (x, y) in enumerate(dataset):
        assert x.shape == (T, 2, 34, 34)
        assert y == dataset.targets[i]
        events = dataset.events(i)
        expected = np.zeros((2, 34, 34))
        for event in events:
            expected[event["p"], event["y"], event["x"]] += 1
        np.testing.assert_array_equal(x.sum(0).numpy(), expected)


def test_the_shift_moves_whole_recordings_and_drops_what_leaves(nmnist_root: Path) -> None:
    still, moving = NMNIST(nmnist_root, T=1), NMNIST(nmnist_root, T=1, shift=3, seed=1)
    seen: set[tuple[int, int]] = set()
    for epoch in range(20):
        moving.set_epoch(epoch)
        for i in range(len(moving)):
            padded = np.pad(still[i][0][0].numpy(), ((0, 0), (3, 3), (3, 3)))
            moved = moving[i][0][0].numpy()
            fits = [
                (dx, dy)
                for dx in range(-3, 4)
                for dy in range(-3, 4)
                if np.array_equal(moved, padded[:, 3 - dy : 37 - dy, 3 - dx : 37 - dx])
            ]
            assert len(fits) == 1
            seen.add(fits[0])
    assert {dx for dx, _ in seen} == {dy for _, dy in seen} == set(range(-3, 4))


def test_the_test_split_is_never_shifted(nmnist_root: Path) -> None:
    still, same = NMNIST(nmnist_root, split="test"), NMNIST(nmnist_root, split="test", shift=5)
    assert all(a.equal(b) for (a, _), (b, _) in zip(still, same, strict=True))


def test_the_shift_depends_on_seed_epoch_and_index_alone(nmnist_root: Path) -> None:
    def items(seed: int, epoch: int) -> list[Any]:
        dataset = NMNIST(nmnist_root, shift=4, seed=seed)
        dataset.set_epoch(epoch)
        backwards = [dataset[i][0] for i in reversed(range(len(dataset)))]
        return backwards[::-1]

    def equal(a: list[Any], b: list[Any]) -> bool:
        return all(x.equal(y) for x, y in zip(a, b, strict=True))

    assert equal(items(3, 5), items(3, 5))
    assert not equal(items(3, 5), items(3, 6))
    assert not equal(items(3, 5), items(4, 5))


def test_an_unofficial_archive_gives_one_notice_per_process(nmnist_root: Path) -> None:
    with pytest.warns(UserWarning, match="not the published") as caught:
        pickle.loads(pickle.dumps([NMNIST(nmnist_root, T=T) for T in (2, 3)]))
    path = nmnist_root / "Train.zip"
    assert [str(warning.message) for warning in caught] == [
        f"{path} is not the published file: it holds 12 recordings, the official one 60000. It is "
        "used as it is."
    ]


def test_a_missing_archive_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingData) as caught:
        NMNIST(tmp_path, split="test")
    text = str(caught.value)
    assert text.startswith(
        f"N-MNIST: Test.zip is missing; looked in {tmp_path}. Pass download=True"
    )
    assert text.endswith(
        f"  and put it, not unpacked, into {tmp_path}\n"
        f"  (or type: snn data prepare n_mnist --from FOLDER|ZIP --root {tmp_path})\n"
        "N-MNIST: 1.1 GB in all, licence CC BY-SA 4.0, see "
        "https://www.garrickorchard.com/datasets/n-mnist"
    )


def test_an_archive_without_recordings_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "Train.zip", "w") as archive:
        archive.writestr("notes.txt", "nothing")
    with pytest.raises(FormatError, match=r"no recordings; .* named Train/<digit>/<number>\.bin"):
        NMNIST(tmp_path)


def test_a_damaged_recording_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "Train.zip", "w") as archive:
        archive.writestr("Train/7/00001.bin", bytes(7))
    dataset = NMNIST(tmp_path)
    with pytest.raises(FormatError, match=r"Train\.zip, member Train/7/00001\.bin has 7 bytes"):
        dataset[0]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_equal_those_of_zipfile(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    bodies = {f"d/{i}.bin": np.random.default_rng(i).bytes(i * 100) for i in range(8)}
    path.write_bytes(b"something in front of the archive")
    with zipfile.ZipFile(path, "a", method) as archive:
        archive.writestr("d/", "")
        archive.writestr("readme.txt", "text")
        for name, body in bodies.items():
            archive.writestr(name, body)
    members = pickle.loads(pickle.dumps(ZipMembers(path, suffix=".bin")))
    assert {name: members.read(i) for i, name in enumerate(members.names)} == bodies


def packed(path: Path, method: int = zipfile.ZIP_DEFLATED) -> ZipMembers:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.bin", b"0123456789" * 50)
    return ZipMembers(path)


@pytest.mark.parametrize(
    ("position", "text"),
    [(0, "its header is damaged"), (36, "its data (are damaged|do not match their checksum)")],
)
def test_flipped_bytes_are_noticed(tmp_path: Path, position: int, text: str) -> None:
    path = tmp_path / "a.zip"
    members = packed(path)
    data = bytearray(path.read_bytes())
    data[position] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(FormatError, match=rf"a\.zip, member a\.bin: {text}"):
        members.read(0)


def test_an_archive_cut_while_in_use_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    members = packed(path)
    path.write_bytes(path.read_bytes()[:35])
    with pytest.raises(FormatError, match=r"a\.bin: the archive ends within it"):
        members.read(0)


def test_other_packing_is_explained(tmp_path: Path) -> None:
    members = packed(tmp_path / "a.zip", zipfile.ZIP_BZIP2)
    with pytest.raises(FormatError, match="it is packed by method 12; pack it again by deflate"):
        members.read(0)


def test_a_web_page_named_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Train.zip").write_text("<html>log in</html>")
    with pytest.raises(FormatError, match=r"Train\.zip is no readable zip file \(File is not a"):
        NMNIST(tmp_path)


@pytest.mark.parametrize(("split", "count"), [("train", 900), ("test", 100)])
def test_the_real_recordings(shared: Path, split: Any, count: int) -> None:
    dataset = NMNIST(shared / "nmnist", split=split, T=300, by="time")
    assert len(dataset) == count
    for i in range(0, count, 25):
        x, _ = dataset[i]
        assert x.shape == (300, 2, 34, 34)
        assert x.sum() == len(dataset.events(i))


def test_labels_are_those_of_mnist(shared: Path) -> None:
    events = NMNIST(shared / "nmnist", split="test")
    digits = MNIST(shared / "mnist", split="test")
    assert events.targets.tolist() == digits.targets[:100].tolist()
