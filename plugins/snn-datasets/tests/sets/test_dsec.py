from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import DSEC, FormatError, MissingData, read_events
from snn_datasets.formats.dsec import Dsec
from snncore.errors import ConfigError

pytest.importorskip("h5py")


def test_windows_follow_each_other_through_a_sequence(layouts: Any, tmp_path: Path) -> None:
    train = DSEC(layouts.dsec(tmp_path), window_us=30_000, T=3)
    assert train.classes == ("interlaken_00_c", "thun_00_a", "zurich_1")
    test = DSEC(tmp_path, split="test", window_us=99_000)
    assert test.classes == train.classes
    assert test.targets.tolist() == [2]
    # 99 ms are three windows of 30 ms.
    assert train.targets.tolist() == [0, 0, 0, 1, 1, 1]
    starts = [5_000_000, 5_030_000, 5_060_000]
    assert train.recordings.columns["start"].tolist() == starts * 2
    path = tmp_path / "train_events" / "thun_00_a" / "events" / "left" / "events.h5"
    whole = read_events(path, "dsec")
    for i, start in enumerate(starts):
        inside = (whole["t"] >= start) & (whole["t"] < start + 30_000)
        np.testing.assert_array_equal(train.events(3 + i), whole[inside])
        x, _ = train[3 + i]
        for j in range(3):
            a = start + 10_000 * j
            part = (whole["t"] >= a) & (whole["t"] < a + 10_000)
            assert x[j].sum() == part.sum()


def test_cameras_differ(layouts: Any, tmp_path: Path) -> None:
    layouts.dsec(tmp_path)
    left, right = (DSEC(tmp_path, camera=c, window_us=99_000) for c in ("left", "right"))
    assert len(left) == len(right) == 2
    assert not np.array_equal(left.events(0), right.events(0))


def test_the_other_layout_is_found_too(layouts: Any, tmp_path: Path) -> None:
    events = layouts.drawn((640, 480), n=50, end=9_000)
    name = "interlaken_00_c"
    path = tmp_path / "test" / name / f"{name}_events_right" / "events.h5"
    layouts.dsec_file(path, events, offset=7, ms=9)
    dataset = DSEC(tmp_path, split="test", camera="right", window_us=9_000)
    assert dataset.classes == (name,)
    assert len(dataset.events(0)) == 50


def test_windows_are_whole_milliseconds(layouts: Any, tmp_path: Path) -> None:
    layouts.dsec(tmp_path)
    with pytest.raises(ConfigError, match="window_us"):
        DSEC(tmp_path, window_us=1_500)
    with pytest.raises(FormatError, match="none of the 2 sequences lasts 1000000 us; choose"):
        DSEC(tmp_path, window_us=1_000_000)


def test_missing_and_packed_files_are_told(layouts: Any, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"DSEC: test_events\.zip is missing"):
        DSEC(tmp_path, split="test")
    layouts.zipped(tmp_path / "test_events.zip", [("a", b"")])
    with pytest.raises(FormatError, match=r"test_events\.zip cannot be read as it is; unpack it"):
        DSEC(tmp_path, split="test")


def test_windows_beyond_the_index_are_refused(layouts: Any, tmp_path: Path) -> None:
    path = tmp_path / "events.h5"
    layouts.dsec_file(path, layouts.drawn((640, 480), n=9, end=4_000), offset=0, ms=4)
    data = io.BytesIO(path.read_bytes())
    assert len(Dsec().between(data, 0, 4, name="a")) == 9
    assert len(Dsec().between(data, 2, 2, name="a")) == 0
    for start, stop in ((0, 5), (-1, 2), (3, 2)):
        with pytest.raises(FormatError, match="a: its index covers milliseconds 0 to 4"):
            Dsec().between(data, start, stop, name="a")


def test_an_index_that_lies_is_noticed(layouts: Any, tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "events.h5"
    layouts.dsec_file(path, layouts.drawn((640, 480), n=9, end=4_000), offset=0, ms=4)
    with h5py.File(path, "a") as h5:
        h5["ms_to_idx"][4] = 100
    with pytest.raises(FormatError, match="milliseconds 0 to 4 are events 0 to 100 of 9: the file"):
        Dsec().between(io.BytesIO(path.read_bytes()), 0, 4, name="a")


def test_the_real_layout(shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("hdf5plugin")
    folder = tmp_path / "train" / "a" / "events" / "left"
    folder.mkdir(parents=True)
    (folder / "events.h5").symlink_to(shared / "dsec_like" / "events.h5")
    dataset = DSEC(tmp_path, window_us=5_000, T=5)
    whole = read_events(shared / "dsec_like" / "events.h5")
    assert dataset.recordings.columns["start"][0] == 1317888
    for i in range(len(dataset)):
        start = 1317888 + 5_000 * i
        inside = (whole["t"] >= start) & (whole["t"] < start + 5_000)
        assert len(dataset.events(i)) == inside.sum() > 1000
        assert dataset[i][0].sum() == inside.sum()
