from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import ESImageNet, FormatError, MissingData, MissingExtra


def test_labels_are_numbers_of_folders_and_lines_of_the_list(layouts: Any, tmp_path: Path) -> None:
    root = layouts.es_imagenet(tmp_path)
    train = ESImageNet(root)
    assert train.targets.tolist() == [0, 0, 2, 2, 10, 10, 999, 999]
    assert ESImageNet(root, split="val").targets.tolist() == [999, 0, 10]
    assert len(train.classes) == 1000


@pytest.mark.parametrize("by", ["count", "time"])
def test_eight_frames_are_the_eight_steps(layouts: Any, tmp_path: Path, by: Any) -> None:
    val = ESImageNet(layouts.es_imagenet(tmp_path), split="val", by=by)
    assert val.sample_shape == (8, 2, 256, 256)
    for i in range(3):
        path = tmp_path / "ES-imagenet-0.18" / "val" / f"ILSVRC2012_val_{i:08d}.npz"
        expected = np.zeros((8, 2, 256, 256))
        with np.load(path) as found:
            for p, side in enumerate(("neg", "pos")):
                for y, x, step in found[side]:
                    expected[step - 1, p, y, x] += 1
        np.testing.assert_array_equal(val[i][0].numpy(), expected)


def test_other_numbers_of_frames_cut_as_elsewhere(layouts: Any, tmp_path: Path) -> None:
    root = layouts.es_imagenet(tmp_path)
    x, _ = ESImageNet(root, T=3)[0]
    assert x.shape == (3, 2, 256, 256)
    assert x.sum() == ESImageNet(root)[0][0].sum()


def test_a_step_outside_one_to_eight_is_refused(layouts: Any, tmp_path: Path) -> None:
    root = layouts.es_imagenet(tmp_path)
    rows, none = np.array([[5, 5, 9]]), np.empty((0, 3), np.int32)
    path = root / "ES-imagenet-0.18" / "val" / "ILSVRC2012_val_00000000.npz"
    np.savez(path, pos=rows, neg=none)
    with pytest.raises(
        FormatError, match=r"event 0 is at 9 us; times must ascend within .* 1 to 9"
    ):
        ESImageNet(root, split="val")[0]


def test_lists_of_labels_are_checked(layouts: Any, tmp_path: Path) -> None:
    root = layouts.es_imagenet(tmp_path)
    path = root / "ES-imagenet-0.18" / "vallabel.txt"
    path.write_text("ILSVRC2012_val_00000000.npz 1000\n")
    with pytest.raises(FormatError, match="expected are a file name and a class below 1000"):
        ESImageNet(root, split="val")
    path.write_text("ILSVRC2012_val_00000000.npz 3\n")
    with pytest.raises(FormatError, match=r"has no label for .*val_00000001\.npz"):
        ESImageNet(root, split="val")


def test_what_unpacks_is_asked_for_before_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingData, match=r"ES-imagenet-0\.18\.part01\.rar, .*25\.rar are missing"):
        ESImageNet(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "rarfile", None)
    with pytest.raises(MissingExtra, match=r'pip install "snn-datasets\[rar\]"'):
        ESImageNet(tmp_path, download=True)


def test_the_real_layout(shared: Path, tmp_path: Path) -> None:
    source = shared / "layout_fixtures" / "esimagenet_ILSVRC2012_val_00000001.npz"
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "ILSVRC2012_val_00000001.npz").symlink_to(source)
    (tmp_path / "vallabel.txt").write_text("ILSVRC2012_val_00000001.npz 65\n")
    x, y = ESImageNet(tmp_path, split="val")[0]
    assert y == 65
    with np.load(source) as raw:
        steps = np.concatenate([raw["pos"], raw["neg"]])[:, 2]
        assert int(x[:, 1].sum()) == len(raw["pos"])
    np.testing.assert_array_equal(x.sum((1, 2, 3)), np.bincount(steps, minlength=9)[1:])
