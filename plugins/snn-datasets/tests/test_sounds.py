from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snncore
from snn_datasets import FormatError, MissingData, read_events
from snncore.errors import ConfigError
from snncore.testing.dataset import DatasetConformance

h5py = pytest.importorskip("h5py")
pytestmark = pytest.mark.filterwarnings("ignore:.*is not the published file")

KEYS = ("null", "eins", "zwei")
SPEAKERS = 4


@pytest.fixture
def write(write_sounds: Callable[..., Any], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def make(file: str, count: int = 7, **parts: Any) -> dict[str, Any]:
        return write_sounds(tmp_path / file, count, **parts)

    return make


@pytest.fixture
def both(write: Callable[..., dict[str, Any]], tmp_path: Path) -> dict[str, dict[str, Any]]:
    return {split: write(f"{split}.h5", count) for split, count in (("train", 7), ("test", 5))}


def like(root: Path, **params: Any) -> Any:
    return snncore.build("dataset", "shd_like", root=root, **params)


def us(times: Any) -> list[int]:
    """Microseconds of float16 seconds, in Python's own arithmetic."""
    return [round(float(t) * 1e6) for t in times]


def test_recordings_labels_and_speakers(both: Any, tmp_path: Path) -> None:
    for split, held in both.items():
        dataset = like(tmp_path, split=split)
        assert dataset.classes == KEYS
        assert dataset.targets.tolist() == held["labels"].tolist()
        assert dataset.recordings.columns["speaker"].tolist() == held["speaker"].tolist()
        for i, (times, units) in enumerate(zip(held["times"], held["units"], strict=True)):
            events = dataset.events(i)
            assert events["t"].tolist() == us(times)
            assert events["x"].tolist() == units.tolist()
            assert not events["y"].any()
            assert not events["p"].any()
            asked = {"name": "shd", "sample": i}
            assert np.array_equal(events, read_events(tmp_path / f"{split}.h5", asked))


def test_many_blocks_are_one_recording_each(
    both: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [like(tmp_path).events(i) for i in range(7)]
    monkeypatch.setattr("snn_datasets.sets.spike_file._BLOCK", 3)
    parts = [like(tmp_path).events(i) for i in range(7)]
    assert all(np.array_equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_times_beyond_half_an_hour_are_kept(write: Any, tmp_path: Path) -> None:
    write("train.h5", 2, times=[[0.5], [0.25, 60_000.0]], units=[[3], [1, 2]])
    assert like(tmp_path).events(1)["t"].tolist() == [250_000, 60_000_000_000]


@pytest.mark.parametrize("by", ["count", "time"])
@pytest.mark.parametrize("channels", [None, 700, 140, 1])
def test_frames_add_up_neighbouring_units(
    both: Any, tmp_path: Path, channels: int | None, by: Any
) -> None:
    dataset = like(tmp_path, T=4, by=by, channels=channels)
    width = channels or 700
    assert dataset.sample_shape == (4, 1, 1, width)
    for i, units in enumerate(both["train"]["units"]):
        x = dataset[i][0]
        assert tuple(x.shape) == dataset.sample_shape
        expected = np.zeros(width)
        for unit in units:
            expected[int(unit) * width // 700] += 1
        np.testing.assert_array_equal(x.sum(0)[0, 0].numpy(), expected)


def test_frames_by_duration_differ_in_length(both: Any, tmp_path: Path) -> None:
    dataset = like(tmp_path, duration_us=100_000, channels=70)
    assert dataset.sample_shape == (-1, 1, 1, 70)
    span = us(both["train"]["times"][3])
    assert len(dataset[3][0]) == -(-(span[-1] - span[0]) // 100_000)
    assert dataset[0][0].shape == (0, 1, 1, 70)


def test_augmentation_sees_units_and_frames_see_channels(both: Any, tmp_path: Path) -> None:
    seen: list[Any] = []

    def keep_high(events: Any, generator: Any, size: Any) -> Any:
        seen.append(size)
        return events[events["x"] >= 350]

    def highest(events: Any, size: Any) -> Any:
        seen.append(size)
        return np.full((1, 1, 1, 1), events["x"].min(), np.float32)

    dataset = like(tmp_path, channels=7, augment=keep_high, integrate=highest)
    before = dataset.events(4).copy()
    expected = min(unit for unit in both["train"]["units"][4] if unit >= 350) // 100
    assert dataset[4][0].item() == expected
    assert seen == [(700, 1), (7, 1)]
    assert np.array_equal(dataset.events(4), before)


def test_descending_times_are_sorted_for_frames_alone(write: Any, tmp_path: Path) -> None:
    write("train.h5", 2, times=[[0.5], [0.5, 0.25, 0.5]], units=[[0], [1, 2, 3]])
    dataset = like(tmp_path, T=3, channels=700)
    assert dataset.events(1)["x"].tolist() == [1, 2, 3]
    assert dataset[1][0].squeeze().argmax(1).tolist() == [2, 1, 3]


def test_one_speaker_is_left_out_of_all_files(both: Any, tmp_path: Path) -> None:
    for speaker in range(SPEAKERS):
        params = {"protocol": "leave_one_speaker_out", "speaker": speaker}
        train, test = (like(tmp_path, split=split, **params) for split in ("train", "test"))
        assert len(train) + len(test) == 12
        assert set(test.recordings.columns["speaker"]) == {speaker}
        assert speaker not in train.recordings.columns["speaker"]
        expected = [
            (us(t), u.tolist(), label)
            for held in both.values()
            for t, u, label, who in zip(
                *(held[part] for part in ("times", "units", "labels", "speaker")), strict=True
            )
            if who == speaker
        ]
        found = [
            (test.events(i)["t"].tolist(), test.events(i)["x"].tolist(), test.targets[i])
            for i in range(len(test))
        ]
        assert found == expected


def test_the_first_speaker_is_left_out_unless_another_is_named(both: Any, tmp_path: Path) -> None:
    test = like(tmp_path, split="test", protocol="leave_one_speaker_out")
    assert set(test.recordings.columns["speaker"]) == {0}


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"channels": 130}, "channels must divide the 700 units, got 130"),
        ({"speaker": 1}, "speaker = 1 means something under protocol 'leave_one_speaker_out' alon"),
        (
            {"protocol": "leave_one_speaker_out", "speaker": 9},
            "speaker: leave_one_out: no item is of group 9; groups are 0, 1, 2, 3",
        ),
        ({"split": "valid"}, "split: input should be 'train' or 'test', got 'valid'"),
        ({"files": "digits.h5"}, r"files must hold \{split\}, which stands for train or test, got"),
    ],
)
def test_wrong_parameters_are_named(both: Any, tmp_path: Path, params: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=f"dataset snn-datasets/shd_like: {text}"):
        like(tmp_path, **params)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"labels": [0, 1]}, "its parts differ in length: 3 of spikes/times, 3 of spikes/units, 2"),
        ({"labels": [0, 1, 3]}, "sample 2: its label is 3, expected 0 to 2 (1 such labels)"),
        ({"extra": False}, "has no extra/keys, the names of the classes by label"),
    ],
)
def test_faults_of_a_file_are_named_at_once(
    write: Any, tmp_path: Path, parts: Any, text: str
) -> None:
    write("train.h5", 3, **parts)
    with pytest.raises(FormatError, match=re.escape(text)):
        like(tmp_path)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"units": [[1], [2, 700], [3]]}, "sample 1: event 1 has x=700, y=0, which is off"),
        ({"times": [[0.0], [0.0, 0.0], [np.inf]]}, "sample 2: event 0 has t = inf, expected"),
        ({"times": [[0.0], [0.0], [0.0]]}, "sample 1: 1 times for 2 units"),
    ],
)
def test_faults_of_spikes_name_the_recording(
    write: Any, tmp_path: Path, parts: Any, text: str
) -> None:
    held = {"times": [[0.0], [0.0, 0.0], [0.0]], "units": [[1], [2, 3], [4]]} | parts
    write("train.h5", 3, **held)
    dataset = like(tmp_path)
    with pytest.raises(FormatError, match=re.escape(f"{tmp_path}/train.h5, {text}")):
        dataset.events(0)


def test_other_and_damaged_files_are_refused(both: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other_train.h5", "w") as h5:
        h5["labels"] = [1]
    with pytest.raises(FormatError, match=r"has no spikes/times and no spikes/units; files like"):
        like(tmp_path, files="other_{split}.h5")
    path = tmp_path / "train.h5"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FormatError, match=r"train\.h5 is no HDF5 file as expected, or damaged"):
        like(tmp_path)


def test_files_that_disagree_on_the_classes(write: Any, tmp_path: Path) -> None:
    write("train.h5", 3)
    write("test.h5", 3, keys=("a", "b", "c"))
    with pytest.raises(FormatError, match=r"train\.h5 and .*test\.h5 differ in extra/keys"):
        like(tmp_path, protocol="leave_one_speaker_out", speaker=1)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingData) as caught:
        like(tmp_path, files="digits_{split}.h5", split="test")
    assert str(caught.value) == (
        f"Files like those of SHD: digits_test.h5 is missing; looked in {tmp_path}. Put it there, "
        "or say where it is with root=... and what it is called with files=..., for example "
        "files='digits_{split}.h5'"
    )


def test_spikes_are_read_late_and_are_no_part_of_a_pickle(both: Any, tmp_path: Path) -> None:
    dataset = like(tmp_path)
    unread = pickle.dumps(dataset)
    first = dataset.events(2)
    assert len(pickle.dumps(dataset)) == len(unread)
    (tmp_path / "train.h5").rename(tmp_path / "elsewhere.h5")
    # What was read is kept by this process, and nothing else is.
    assert np.array_equal(dataset.events(2), first)
    with pytest.raises(FileNotFoundError):
        pickle.loads(unread).events(2)


def zipped(path: Path, folder: str = "") -> None:
    with zipfile.ZipFile(path.with_name(f"{path.name}.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, f"{folder}{path.name}")
    path.unlink()


@pytest.mark.parametrize(
    ("name", "splits", "classes"),
    [("shd", ("train", "test"), 20), ("ssc", ("train", "valid", "test"), 35)],
)
def test_published_files_are_read_packed_and_unpacked(
    write: Any, tmp_path: Path, name: str, splits: tuple[str, ...], classes: int
) -> None:
    for split in splits:
        held = write(f"{name}_{split}.h5", 4, extra=name == "shd", keys=[str(k) for k in range(20)])
        plain = snncore.build("dataset", name, root=tmp_path, split=split)
        before = [plain.events(i) for i in range(4)]
        zipped(tmp_path / f"{name}_{split}.h5")
        packed = snncore.build("dataset", name, root=tmp_path, split=split)
        assert len(packed.classes) == classes
        assert plain.targets.tolist() == packed.targets.tolist() == held["labels"].tolist()
        for i, units in enumerate(held["units"]):
            assert packed.events(i)["x"].tolist() == units.tolist()
            assert np.array_equal(before[i], packed.events(i))


def test_an_unofficial_file_gives_one_notice(write: Any, tmp_path: Path) -> None:
    write("shd_train.h5", 3)
    with pytest.warns(UserWarning, match="not the published") as caught:
        assert len({snncore.build("dataset", "shd", root=tmp_path, T=T) for T in (2, 3)}) == 2
    assert [str(warning.message) for warning in caught] == [
        f"{tmp_path}/shd_train.h5 is not the published file: it holds 3 recordings, the official "
        "one 8156. It is used as it is."
    ]


def test_ssc_leaves_out_no_speaker(write: Any, tmp_path: Path) -> None:
    write("ssc_train.h5", 3)
    for params in ({"protocol": "leave_one_speaker_out"}, {"speaker": 1}):
        with pytest.raises(
            ConfigError, match=r"protocol: input should be 'official'|speaker = 1 m"
        ):
            snncore.build("dataset", "ssc", root=tmp_path, **params)


def test_speakers_must_be_told_to_leave_one_out(write: Any, tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(f"shd_{split}.h5", 3, extra=False)
    with pytest.raises(FormatError, match=r"shd_train\.h5 has no extra/speaker, which protocol"):
        snncore.build("dataset", "shd", root=tmp_path, protocol="leave_one_speaker_out")


def test_a_missing_archive_says_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(
        MissingData, match=r"SHD .*: shd_test\.h5\.zip is missing; looked in .*"
    ) as e:
        snncore.build("dataset", "shd", root=tmp_path, split="test")
    assert "get shd_test.h5.zip from https://zenkelab.org/datasets/shd_test.h5.zip" in str(e.value)


def test_an_archive_without_the_file_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "shd_train.h5.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(FormatError, match=r"shd_train\.h5\.zip holds no shd_train\.h5"):
        snncore.build("dataset", "shd", root=tmp_path)


class TestSHDLike(DatasetConformance):
    component = "snn-datasets/shd_like"
    params = {"root": "from the fixture", "T": 5, "by": "time", "channels": 140}
    prepares = True

    @pytest.fixture(autouse=True)
    def _files(self, write: Any, tmp_path: Path) -> None:
        for split, count in (("train", 7), ("test", 5)):
            write(f"{split}.h5", count, least=2)
        self.root = tmp_path

    def make(self, **params: Any) -> Any:
        return super().make(**{**params, "root": self.root})


@pytest.mark.filterwarnings("ignore:.*is not the published file")
class TestSHD(DatasetConformance):
    component = "snn-datasets/shd"
    params = {"root": "from the fixture", "T": 5}
    prepares = True

    @pytest.fixture(autouse=True)
    def _files(self, write: Any, tmp_path: Path) -> None:
        for split, count in (("train", 7), ("test", 5)):
            write(f"shd_{split}.h5", count, least=2, keys=[str(k) for k in range(20)])
            zipped(tmp_path / f"shd_{split}.h5")
        self.root = tmp_path

    def make(self, **params: Any) -> Any:
        return super().make(**{**params, "root": self.root})


@pytest.mark.filterwarnings("ignore:.*is not the published file")
class TestSSC(DatasetConformance):
    component = "snn-datasets/ssc"
    params = {"root": "from the fixture", "T": 5}
    prepares = True

    @pytest.fixture(autouse=True)
    def _files(self, write: Any, tmp_path: Path) -> None:
        for split, count in (("train", 7), ("valid", 4), ("test", 5)):
            write(f"ssc_{split}.h5", count, least=2, extra=False)
        self.root = tmp_path

    def make(self, **params: Any) -> Any:
        return super().make(**{**params, "root": self.root})


def test_real_spoken_digits(shared: Path) -> None:
    root, files = shared / "shd_like", "fsdd_spikes_{split}.h5"
    train, test = (like(root, files=files, split=split) for split in ("train", "test"))
    assert (len(train), len(test)) == (900, 300)
    assert train.classes[:2] == ("zero", "one")
    assert np.bincount(train.targets).tolist() == [90] * 10
    assert sum(len(train.events(i)) for i in range(900)) == 3_494_602
    assert sum(len(test.events(i)) for i in range(300)) == 1_135_144
    with h5py.File(root / "fsdd_spikes_test.h5") as h5:
        for i in range(0, 300, 50):
            assert test.events(i)["t"].tolist() == us(h5["spikes/times"][i])
            assert test.events(i)["x"].tolist() == h5["spikes/units"][i].tolist()
            assert test.targets[i] == h5["labels"][i]
    alone = like(root, files=files, split="test", protocol="leave_one_speaker_out", speaker=3)
    assert len(alone) == 200
