from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import MissingData, NavGestureSit, NavGestureWalk


def test_labels_and_users_are_words_of_the_names(layouts: Any, tmp_path: Path) -> None:
    test = NavGestureWalk(layouts.nav_gesture(tmp_path), split="test")
    assert test.classes == ("le", "ri", "up", "do", "ho", "se")
    # Six recordings of each class; a fifth of them, rounded, is one.
    assert test.targets.tolist() == list(range(6))
    for i, path in enumerate(test.recordings.paths()):
        user, label, _ = path.rpartition("/")[2].split("_", 2)
        assert test.classes[test.targets[i]] == label
        assert test.recordings.columns["user"][i] == user
    assert len(NavGestureWalk(tmp_path)) == 30


def test_events_that_go_back_are_dropped_and_counted(
    layouts: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [(500, 1, 0, 1), (700, 2, 0, 0), (690, 3, 0, 0), (699, 4, 9, 1), (700, 5, 239, 1)]
    layouts.zipped(tmp_path / "a.zip", [("a/a_se_1_td.dat", layouts.dat1(rows))])
    dataset = NavGestureSit(tmp_path)
    with caplog.at_level(logging.INFO, "snn_datasets"):
        events = dataset.events(0)
    assert events.tolist() == [(0, 1, 239, 1), (200, 2, 239, 0), (200, 5, 0, 1)]
    assert "a_se_1_td.dat: 2 events go back in time" in caplog.text


def test_an_empty_recording_has_no_events(layouts: Any, tmp_path: Path) -> None:
    layouts.zipped(tmp_path / "a.zip", [("a/a_se_1_td.dat", layouts.dat1([]))])
    assert len(NavGestureSit(tmp_path).events(0)) == 0


def test_without_files_it_says_that_the_host_is_gone(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"NavGesture-sit: navgesture-sit\.zip is missing"):
        NavGestureSit(tmp_path)
    assert "is gone and no other address is\nknown" in (NavGestureSit.info.manual or "")


def test_the_real_layout(shared: Path, tmp_path: Path) -> None:
    source = shared / "layout_fixtures" / "navgesture_user_do_td.dat"
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "user_do_td.dat").symlink_to(source)
    dataset = NavGestureWalk(tmp_path)
    assert dataset.targets.tolist() == [3]
    data = source.read_bytes()
    words = np.frombuffer(data[-(len(data) // 8 - 40) * 8 :], "<u4").reshape(-1, 2)
    events = dataset.events(0)
    n = len(words)
    keep = np.ones(n, bool)
    assert (np.diff(words[:, 0].astype(np.int64)) >= 0).all()
    np.testing.assert_array_equal(events["x"][-n:], (words[:, 1] & 0x1FF)[keep])
    np.testing.assert_array_equal(events["y"][-n:], 239 - (words[:, 1] >> 9 & 0xFF).astype(int))
    np.testing.assert_array_equal(events["p"][-n:], words[:, 1] >> 17 & 1)
    assert events["t"][0] == 0
