from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import shutil
import tarfile
import warnings
import zipfile
from collections import namedtuple
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
from annotated_types import Gt
from torch.utils.data import DataLoader

from snn_datasets import NMNIST, EventDataset, Info, Recordings
from snn_datasets.cache import place, reader, writer
from snn_datasets.errors import CacheError, FormatError
from snn_datasets.events import EVENT, make_events
from snn_datasets.splits import per_class_first

pytestmark = pytest.mark.filterwarnings("ignore:.*is not the published file")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SNN_CACHE", str(tmp_path / "user cache"))
    reader._not_used.cache_clear()


class Drawn(EventDataset):
    """Recordings that are drawn from the digits in the names of their files."""

    info: ClassVar[Info] = Info("drawn", "Drawn", "CC0", "nobody", "https://a.example", "0 MB", {})
    sensor: ClassVar[tuple[int, int]] = (6, 5)
    format: ClassVar[str] = "snn-datasets/bin40"
    protocols: ClassVar[tuple[str, ...]] = ("first", "last")
    decoded: ClassVar[list[str]] = []

    def __init__(
        self,
        root: str | None = None,
        *,
        split: str = "train",
        protocol: str | None = None,
        delay: Annotated[int, Gt(-1)] = 0,
    ) -> None:
        self.delay = delay
        super().__init__(root, split=split, protocol=protocol)

    def find(self) -> Recordings:
        self.classes = ("even", "odd")
        found = Recordings.find(
            [self.open("drawn", suffix=".bin")],
            lambda name: (name, int(name[-5]) % 2),
            expected="files",
        )
        test = per_class_first(found.targets, 1)
        if self.protocol == "last":
            test = test[::-1]
        return found.take(test if self.split == "test" else ~test)

    def decode(self, index: int) -> Any:
        name = self.recordings.path(index)
        self.decoded.append(name)
        return drawn(name, self.delay)


def drawn(name: str, delay: int = 0) -> Any:
    """Events in no order; recordings of even number end after 71 minutes."""
    number = int(name[-5])
    random = np.random.default_rng(number)
    n = 20 * number
    t = random.integers(0, 1000 if number % 2 else 1 << 40, n) + 5000 + delay
    return make_events(
        t=t, x=random.integers(0, 6, n), y=random.integers(0, 5, n), p=random.integers(0, 2, n)
    )


@pytest.fixture
def drawn_root(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "drawn"
    folder.mkdir(parents=True)
    for number in range(9):
        (folder / f"{number}.bin").write_bytes(bytes(number))
    Drawn.decoded.clear()
    return folder.parent


def caches(root: Path) -> list[Path]:
    return [path for path in (root / ".snn").iterdir() if path.is_dir()]


def test_the_cache_gives_what_was_decoded(drawn_root: Path) -> None:
    dataset = Drawn(drawn_root)
    assert dataset.cache is None
    made = dataset.prepare()
    assert dataset.cache is made
    for again in (dataset, Drawn(drawn_root), pickle.loads(pickle.dumps(dataset))):
        Drawn.decoded.clear()
        for i in range(len(dataset)):
            events = again.events(i)
            assert events.dtype == EVENT
            assert np.array_equal(events, drawn(dataset.recordings.path(i)))
            assert events.flags.writeable
        assert Drawn.decoded == []
    dataset.cache = None
    assert np.array_equal(dataset.events(-1), drawn("8.bin"))
    assert Drawn.decoded == ["8.bin"]


def test_one_cache_serves_all_splits_and_protocols(drawn_root: Path) -> None:
    Drawn(drawn_root, split="test").prepare()
    assert sorted(Drawn.decoded) == [f"{i}.bin" for i in range(9)]
    for split in ("train", "test"):
        for protocol in ("first", "last"):
            dataset = Drawn(drawn_root, split=split, protocol=protocol)
            dataset.prepare()
            for i in range(len(dataset)):
                assert np.array_equal(dataset.events(i), drawn(dataset.recordings.path(i)))
    assert len(Drawn.decoded) == 9
    assert len(caches(drawn_root)) == 1


def test_parameters_of_decoding_have_caches_of_their_own(drawn_root: Path) -> None:
    for delay in (0, 7):
        dataset = Drawn(drawn_root, delay=delay)
        assert dataset.cache is None
        dataset.prepare()
    assert np.array_equal(Drawn(drawn_root).events(1), drawn("3.bin"))
    assert np.array_equal(Drawn(drawn_root, delay=7).events(1), drawn("3.bin", 7))
    assert len(caches(drawn_root)) == 2


def test_parameters_after_decoding_share_a_cache(nmnist_root: Path) -> None:
    plain = [NMNIST(nmnist_root, T=4, shift=2)[i][0] for i in range(12)]
    NMNIST(nmnist_root).prepare()
    assert all(
        x.equal(y) for (x, _), y in zip(NMNIST(nmnist_root, T=4, shift=2), plain, strict=True)
    )
    assert len(caches(nmnist_root)) == 1
    assert NMNIST(nmnist_root, shift=2, by="time").cache is not None
    assert NMNIST(nmnist_root, split="test").cache is None  # another archive


@pytest.mark.parametrize("by", ["count", "time"])
def test_frames_of_the_cache_are_those_of_the_files(nmnist_root: Path, by: Any) -> None:
    plain = [x for x, _ in NMNIST(nmnist_root, T=7, by=by)]
    durations = [x for x, _ in NMNIST(nmnist_root, duration_us=20_000)]
    NMNIST(nmnist_root).prepare()
    cached = [x for x, _ in NMNIST(nmnist_root, T=7, by=by)]
    assert all(x.equal(y) for x, y in zip(plain, cached, strict=True))
    cached = [x for x, _ in NMNIST(nmnist_root, duration_us=20_000)]
    assert all(x.equal(y) for x, y in zip(durations, cached, strict=True))


def test_what_the_cache_says_of_itself(drawn_root: Path) -> None:
    folder = Drawn(drawn_root).prepare().folder
    assert sorted(path.name for path in folder.iterdir()) == [
        *("complete", "events.bin", "index.npz", "meta.json"),
    ]
    meta = json.loads((folder / "meta.json").read_text())
    words = sum(20 * i * (2 - i % 2) for i in range(9))
    assert (meta["items"], meta["events"], meta["words"]) == (9, 20 * 36, words)
    assert (folder / "events.bin").stat().st_size == 8 * words
    with np.load(folder / "index.npz") as index:
        assert index["name"].tolist() == [f"{i}.bin" for i in range(9)]
        assert index["target"].tolist() == [i % 2 for i in range(9)]
        assert index["events"].tolist() == [20 * i for i in range(9)]


def test_a_changed_file_makes_the_cache_stale(drawn_root: Path) -> None:
    old = Drawn(drawn_root).prepare().folder
    (drawn_root / "drawn" / "5.bin").write_bytes(b"another file")
    with pytest.warns(UserWarning, match=r"was made of other files .* Call prepare\(\)") as caught:
        datasets = [Drawn(drawn_root), Drawn(drawn_root)]
    assert len(caught) == 1
    assert [dataset.cache for dataset in datasets] == [None, None]
    Drawn.decoded.clear()
    datasets[0].prepare()
    assert len(Drawn.decoded) == 9
    assert Drawn(drawn_root).cache is not None
    # A new file makes another list of items; what was made of the old one is removed.
    (drawn_root / "drawn" / "9.bin").write_bytes(b"")
    reader._not_used.cache_clear()
    with pytest.warns(UserWarning, match="was made of other files"):
        dataset = Drawn(drawn_root)
    dataset.prepare()
    assert np.array_equal(dataset.events(-1), drawn("9.bin"))
    assert caches(drawn_root) == [dataset.cache.folder] != [old]


def test_a_new_version_of_the_decoder_makes_the_cache_stale(
    drawn_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Drawn(drawn_root).prepare()
    monkeypatch.setattr(Drawn, "version", 2)
    with pytest.warns(UserWarning, match="another version of the code, and is not used"):
        assert Drawn(drawn_root).cache is None
    assert Drawn(drawn_root).prepare() is not None
    assert Drawn(drawn_root).cache is not None


@pytest.mark.parametrize("damage", ["complete", "events.bin", "meta.json", "cut", "no json"])
def test_what_is_not_whole_is_not_used(drawn_root: Path, damage: str) -> None:
    folder = Drawn(drawn_root).prepare().folder
    if damage == "cut":
        data = (folder / "events.bin").read_bytes()
        (folder / "events.bin").write_bytes(data[:-8])
    elif damage == "no json":
        (folder / "meta.json").write_text("{")
    else:
        (folder / damage).unlink()
    dataset = Drawn(drawn_root)
    assert dataset.cache is None
    dataset.prepare()
    assert np.array_equal(dataset.events(1), drawn("3.bin"))


def test_what_killed_runs_left_is_swept(drawn_root: Path) -> None:
    name = Drawn(drawn_root).prepare().folder.name
    shutil.rmtree(drawn_root / ".snn" / name)
    left = drawn_root / ".snn" / f".{name}.123-abcd"
    left.mkdir()
    (left / "events.bin").write_bytes(bytes(80))
    Drawn(drawn_root).prepare()
    assert [path.name for path in caches(drawn_root)] == [name]


def test_a_moved_root_keeps_its_cache(drawn_root: Path) -> None:
    Drawn(drawn_root).prepare()
    moved = drawn_root.parent / "moved"
    drawn_root.rename(moved)
    assert Drawn(moved).cache is not None


def test_a_root_that_cannot_be_written_to(
    drawn_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (drawn_root / ".snn").write_text("in the way of a folder, also for the superuser")
    dataset = Drawn(drawn_root)
    assert dataset.prepare().folder.is_relative_to(tmp_path / "user cache" / "datasets")
    assert Drawn(drawn_root).cache is not None
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SNN_CACHE", str(tmp_path / "file"))
    with pytest.raises(CacheError, match=r"Drawn: the cache can be written neither to .*\.snn nor"):
        Drawn(drawn_root).prepare()


def test_a_full_disk_is_noticed(drawn_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(writer, "_CHUNK", 2)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage((256 << 20) + 100))
    with pytest.raises(CacheError, match=r"\.snn has 268\.4 MB free, the cache of Drawn needs ab"):
        Drawn(drawn_root).prepare()
    assert caches(drawn_root) == []


def test_an_error_of_the_disk_is_told(drawn_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "_sync_file", full)
    with pytest.raises(CacheError, match=r"the cache cannot be written \(.*No space left on dev"):
        Drawn(drawn_root).prepare()
    assert caches(drawn_root) == []


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_recording_is_named(tmp_path: Path, workers: int) -> None:
    with zipfile.ZipFile(tmp_path / "Train.zip", "w") as archive:
        archive.writestr("Train/7/00001.bin", bytes(7))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads
        with pytest.raises(FormatError, match=r"Train\.zip, member Train/7/00001\.bin has 7 bytes"):
            NMNIST(tmp_path).prepare(workers=workers)
    assert caches(tmp_path) == []


def test_events_that_cannot_be_packed_are_named(
    drawn_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = np.array([(0, 1, 1, 2)], EVENT)
    monkeypatch.setattr(Drawn, "decode", lambda self, index: wrong)
    with pytest.raises(FormatError, match=r"root/drawn, member 0\.bin: event 0 has p = 2"):
        Drawn(drawn_root).prepare()


def test_workers_must_be_a_number(drawn_root: Path) -> None:
    with pytest.raises(ValueError, match="prepare: workers must be at least 0, got -1"):
        Drawn(drawn_root).prepare(workers=-1)


def test_workers_make_the_same_cache(
    nmnist_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_CHUNK", 5)
    folder = NMNIST(nmnist_root).prepare().folder
    alone = [(folder / name).read_bytes() for name in ("events.bin", "meta.json")]
    shutil.rmtree(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads
        NMNIST(nmnist_root, transform=lambda x: x).prepare(workers=2)
    assert [(folder / name).read_bytes() for name in ("events.bin", "meta.json")] == alone


def test_a_packed_tar_is_unpacked_once(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "drawn.tgz", "w:gz") as archive:
        for number in (4, 1, 7, 3, 6, 2):
            info = tarfile.TarInfo(f"{number}.bin")
            archive.addfile(info)
    dataset = Packed(tmp_path)
    dataset.prepare()  # a notice would be an error
    for i in range(len(dataset)):
        assert np.array_equal(dataset.events(i), drawn(dataset.recordings.path(i)))


class Packed(Drawn):
    info: ClassVar[Info] = Info("drawn", "Drawn", "CC0", "nobody", "https://a.example", "0 MB", {})

    def open(self, file: str, *, suffix: str = "") -> Any:
        from snn_datasets.archives.members import open_members

        return open_members(self.folder / "drawn.tgz", suffix=suffix)

    def decode(self, index: int) -> Any:
        assert self.recordings.read(index) == b""
        return super().decode(index)


def test_workers_read_the_cache(nmnist_root: Path) -> None:
    dataset = NMNIST(nmnist_root, T=3)
    plain = [x for x, _ in dataset]
    dataset.prepare()
    (nmnist_root / "Train.zip").unlink()  # nothing is decoded any more
    assert dataset[0][0].equal(plain[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads
        loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="fork")
        assert all(x.equal(y) for (x, _), y in zip(loader, plain, strict=True))


def _prepare(root: str) -> int:
    """Prepares in a process of its own; how many recordings it decoded."""
    warnings.simplefilter("ignore")
    Drawn.decoded.clear()
    Drawn(root).prepare()
    return len(Drawn.decoded)


def test_of_two_processes_one_works(drawn_root: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads
        with multiprocessing.get_context("fork").Pool(4) as pool:
            decoded = pool.map(_prepare, [str(drawn_root)] * 8, chunksize=1)
    assert sorted(decoded) == [0] * 7 + [9]
    assert Drawn(drawn_root).cache is not None


def test_a_place_with_the_user_is_told_apart_by_its_folder(tmp_path: Path) -> None:
    one, other = place.beside(tmp_path / "a" / "data"), place.beside(tmp_path / "b" / "data")
    assert one[0] == tmp_path / "a" / "data" / ".snn"
    assert one[1].parent == other[1].parent == tmp_path / "user cache" / "datasets"
    assert one[1] != other[1]


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.written_aside(tmp_path / "a", b"old")

    def fails(*_: object) -> None:
        raise OSError("pulled")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="pulled"):
        place.written_aside(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"
