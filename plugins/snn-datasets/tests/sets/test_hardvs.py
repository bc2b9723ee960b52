from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import HARDVS, FormatError, MissingData


def test_splits_are_those_of_the_lists(layouts: Any, tmp_path: Path) -> None:
    root = layouts.hardvs(tmp_path)
    for i, split in enumerate(("train", "val", "test")):
        dataset = HARDVS(root, split=split)
        assert dataset.targets.tolist() == [0, 6, 299]
        assert all(path.endswith(f"_{i:02d}.npz") for path in dataset.recordings.paths())
    assert HARDVS(root).classes[299] == "action_300"


def test_actions_may_be_unpacked(layouts: Any, tmp_path: Path) -> None:
    packed = HARDVS(layouts.hardvs(tmp_path), split="val")
    expected = [packed.events(i) for i in range(3)]
    for path in sorted((tmp_path / "MINI_HARDVS_files").iterdir()):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "files" / path.stem)
        path.unlink()
    loose = HARDVS(tmp_path, split="val")
    assert all(np.array_equal(loose.events(i), e) for i, e in enumerate(expected))


def test_lists_that_name_what_is_not_there_are_refused(layouts: Any, tmp_path: Path) -> None:
    layouts.hardvs(tmp_path)
    path = tmp_path / "test_label.txt"
    path.write_text("action_002/nothing 1\n")
    with pytest.raises(
        FormatError, match=r"names the recording action_002/nothing\.npz, which is not among the 12"
    ):
        HARDVS(tmp_path, split="test")
    for line in ("action_301/one 300", "one 0"):
        path.write_text(f"{line}\n")
        with pytest.raises(FormatError, match=f"holds the line '{line}', expected action_<number>"):
            HARDVS(tmp_path, split="test")
    path.write_text("\n")
    with pytest.raises(FormatError, match=r"test_label\.txt names no recordings"):
        HARDVS(tmp_path, split="test")


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"HARDVS: val_label\.txt is missing"):
        HARDVS(tmp_path, split="val")


def test_the_real_layout(shared: Path, tmp_path: Path) -> None:
    source = shared / "layout_fixtures" / "hardvs_action_001_sample.npz"
    (tmp_path / "action_001").mkdir()
    (tmp_path / "action_001" / "sample.npz").symlink_to(source)
    (tmp_path / "train_label.txt").write_text("action_001/sample 0\n")
    events, raw = HARDVS(tmp_path).events(0), np.load(source)
    for field in "txyp":
        np.testing.assert_array_equal(events[field], raw[field])
