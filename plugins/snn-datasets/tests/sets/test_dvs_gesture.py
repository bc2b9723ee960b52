from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import DVSGesture, FormatError, MissingData, read_events
from snn_datasets.formats.aedat31 import Aedat31


def test_items_are_the_intervals_of_the_label_files(layouts: Any, tmp_path: Path) -> None:
    train = DVSGesture(layouts.gestures(tmp_path))
    # Numbers less one: class 10 is 9, not third as text.
    assert train.targets.tolist() == [9, 7, 7, 0, 10]
    assert [train.classes[label] for label in train.targets[:2]] == ["air guitar", "arm roll"]
    columns = train.recordings.columns
    assert columns["user"].tolist() == [2, 2, 2, 10, 10]
    assert columns["light"].tolist() == ["led"] * 3 + ["fluorescent_led"] * 2
    whole = read_events(tmp_path / "user02_led.aedat")["t"]
    for i, (start, end) in enumerate([(0, 30_000), (40_000, 60_000), (70_000, 80_000)]):
        expected = [t for t in whole.tolist() if start <= t < end]
        assert train.events(i)["t"].tolist() == expected


def test_intervals_that_overlap_share_events(layouts: Any, tmp_path: Path) -> None:
    test = DVSGesture(layouts.gestures(tmp_path), split="test")
    whole = read_events(tmp_path / "user24_lab.aedat")["t"]
    first, second = (set(test.events(i)["t"].tolist()) for i in (0, 1))
    shared = {t for t in whole.tolist() if 30_000 <= t < 40_000}
    assert shared
    assert first & second == shared


def test_a_recording_is_read_once_for_its_items_in_turn(
    layouts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = DVSGesture(layouts.gestures(tmp_path))
    read = list[str]()
    plain = Aedat31.read

    def counted(self: Any, file: Any, *, name: str) -> Any:
        read.append(name.rpartition("/")[2].split()[-1])
        return plain(self, file, name=name)

    monkeypatch.setattr(Aedat31, "read", counted)
    expected = [train.events(i) for i in range(len(train))]
    assert read == ["user02_led.aedat", "user10_fluorescent_led.aedat"]
    small = pickle.dumps(train)
    assert len(small) < 20_000
    twin = pickle.loads(small)
    assert all(np.array_equal(twin.events(i), expected[i]) for i in (4, 0, 3))


def test_files_are_found_wherever_they_were_unpacked(layouts: Any, tmp_path: Path) -> None:
    layouts.gestures(tmp_path / "a" / "DvsGesture")
    assert len(DVSGesture(tmp_path, split="test")) == 3


@pytest.mark.filterwarnings("ignore:.*can only be unpacked from its beginning")
def test_packed_archives_are_read_as_they_are(layouts: Any, tmp_path: Path) -> None:
    loose = layouts.gestures(tmp_path / "loose" / "DvsGesture")
    expected = DVSGesture(loose)
    events = [expected.events(i) for i in range(len(expected))]
    layouts.tar(loose, tmp_path / "DvsGesture.tar.gz")
    packed = DVSGesture(tmp_path)
    assert packed.targets.tolist() == expected.targets.tolist()
    assert all(np.array_equal(packed.events(i), e) for i, e in enumerate(events))
    precut = layouts.gestures_precut(tmp_path / "precut")
    loose = DVSGesture(precut, protocol="precut", split="test")
    events = [loose.events(i) for i in range(len(loose))]
    layouts.tar(precut / "ibmGestureTest", tmp_path / "ibmGestureTest.tar.gz")
    packed = DVSGesture(tmp_path, protocol="precut", split="test")
    assert packed.recordings.columns["user"].tolist() == [25] * 3
    assert all(np.array_equal(packed.events(i), e) for i, e in enumerate(events))


def test_what_is_missing_is_told(layouts: Any, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"DVS128 Gesture: DvsGesture\.tar\.gz is missing"):
        DVSGesture(tmp_path)
    layouts.gestures(tmp_path)
    (tmp_path / "user24_lab_labels.csv").unlink()
    with pytest.raises(FormatError, match=r"holds no user24_lab_labels\.csv, which says what"):
        DVSGesture(tmp_path, split="test")
    (tmp_path / "user24_lab.aedat").unlink()
    with pytest.raises(
        FormatError, match=r"test\.txt names the recording 'user24_lab\.aedat', which is not there"
    ):
        DVSGesture(tmp_path, split="test")
    (tmp_path / "trials_to_test.txt").write_text("")
    with pytest.raises(FormatError, match=r"trials_to_test\.txt names no recordings"):
        DVSGesture(tmp_path, split="test")


@pytest.mark.parametrize("line", ["12,0,9", "0,0,9", "3,9,9", "3,0", "a,b,c"])
def test_damaged_label_files_are_refused(layouts: Any, tmp_path: Path, line: str) -> None:
    layouts.gestures(tmp_path)
    path = tmp_path / "user24_lab_labels.csv"
    path.write_text(f"class,startTime_usec,endTime_usec\n{line}\n")
    with pytest.raises(FormatError, match=f"holds the line '{line}'; expected are a class from 1"):
        DVSGesture(tmp_path, split="test")
    path.write_text(f"label,a,b\n{line}\n")
    with pytest.raises(FormatError, match=r"begins with 'label,a,b', expected 'class,startTime"):
        DVSGesture(tmp_path, split="test")


def test_times_of_pre_cut_files_are_milliseconds(layouts: Any, tmp_path: Path) -> None:
    layouts.gestures_precut(tmp_path)
    train = DVSGesture(tmp_path, protocol="precut")
    assert train.targets.tolist() == [0, 2, 10] * 2
    assert train.recordings.columns["user"].tolist() == [3] * 3 + [11] * 3
    assert train.recordings.columns["light"].tolist() == ["led"] * 3 + ["lab"] * 3
    table = np.load(tmp_path / "ibmGestureTrain" / "user03_led" / "2.npy")
    events = train.events(1)
    np.testing.assert_array_equal(events["t"], table[:, 3] * 1000)
    np.testing.assert_array_equal(events["x"], table[:, 0])
    np.testing.assert_array_equal(events["p"], table[:, 2])


def test_the_real_layout(shared: Path) -> None:
    train = DVSGesture(shared / "dvsgesture_like")
    assert (train.targets + 1).tolist() == [1, 2, 3, 8, 8, 11]
    counts = [42045, 27261, 15073, 8769, 6757, 11753]
    assert [len(train.events(i)) for i in range(6)] == counts
    test = DVSGesture(shared / "dvsgesture_like", split="test", T=16, by="time")
    assert (test.targets + 1).tolist() == [4, 5, 6]
    assert [int(test[i][0].sum()) for i in range(3)] == [13039, 3991, 1489]


def test_official_label_files_are_understood(shared: Path, layouts: Any, tmp_path: Path) -> None:
    layouts.gestures(tmp_path)
    shutil.copy(tmp_path / "user24_lab.aedat", tmp_path / "user01_natural.aedat")
    official = shared / "dvsgesture_labels" / "user01_natural_labels.csv"
    (tmp_path / official.name).symlink_to(official)
    (tmp_path / "trials_to_test.txt").write_text("user01_natural.aedat\n")
    test = DVSGesture(tmp_path, split="test")
    assert (test.targets + 1).tolist() == [1, 2, 3, 5, 4, 6, 7, 8, 8, 9, 10, 11]
    assert test.recordings.columns["start"][0] == 53036986


def test_the_real_pre_cut_file(shared: Path, tmp_path: Path) -> None:
    source = shared / "layout_fixtures" / "tonic_dvsgesture_0.npy"
    folder = tmp_path / "ibmGestureTrain" / "user01_natural"
    folder.mkdir(parents=True)
    (folder / "0.npy").symlink_to(source)
    events = DVSGesture(tmp_path, protocol="precut").events(0)
    table = np.load(source)
    assert len(events) == len(table) == 6000
    np.testing.assert_array_equal(events["t"], np.rint(table[:, 3] * 1000))
