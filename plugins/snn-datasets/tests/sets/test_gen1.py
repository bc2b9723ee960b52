from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from snn_datasets import FormatError, Gen1, MissingData, read_events
from snn_datasets.formats.dat import BOX


def test_items_are_labelled_times_that_evaluation_counts(layouts: Any, tmp_path: Path) -> None:
    train = Gen1(layouts.gen1(tmp_path))
    # Of four labelled times the first is before 0.5 s.
    assert train.recordings.columns["time"].tolist() == [700_000, 1_000_000, 1_400_000] * 2
    assert train.targets.tolist() == [2, 2, 3] * 2
    names = train.recordings.columns["recording"].tolist()
    assert names == ["17-04-06_train_0"] * 3 + ["17-04-06_train_1"] * 3
    _, y = train[2]
    assert y.dtype == BOX
    assert y["t"].tolist() == [1_400_000] * 3
    assert y["x"].tolist() == [0.0, 10.0, 20.0]
    assert [train.classes[c] for c in y["class_id"]] == ["car", "pedestrian", "car"]
    everything = Gen1(tmp_path, skip_us=0, least_diagonal=0, least_side=0)
    assert everything.targets.tolist() == [1, 2, 2, 3] * 2


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([(500_000, 0, 0, 40, 40, 0, 0, 1)], 0),
        ([(500_001, 0, 0, 40, 40, 0, 0, 1)], 1),
        ([(600_000, 0, 0, 9.9, 100, 0, 0, 1)], 0),
        ([(600_000, 0, 0, 100, 10, 0, 0, 1)], 1),
        ([(600_000, 0, 0, 21, 21, 0, 0, 1)], 0),  # diagonal 29.7
        ([(600_000, 0, 0, 18, 24, 0, 0, 1)], 1),  # diagonal 30
    ],
)
def test_the_rule_of_the_boxes(layouts: Any, tmp_path: Path, rows: Any, kept: int) -> None:
    layouts.gen1(tmp_path)
    sound = (1_000_000, 1, 1, 50, 50, 0, 0, 1)
    for number in range(2):
        path = tmp_path / "train" / f"17-04-06_train_{number}_bbox.npy"
        np.save(path, layouts.boxes([*rows, sound]))
    assert len(Gen1(tmp_path)) == 2 * (1 + kept)


def test_frames_are_equal_parts_of_the_window(layouts: Any, tmp_path: Path) -> None:
    val = Gen1(layouts.gen1(tmp_path), split="val", T=4, window_us=50_001)
    whole = read_events(tmp_path / "val" / "17-04-06_val_0_td.dat")
    x, _ = val[1]
    start = 1_000_000 - 50_001
    edges = [start + j * 50_001 // 4 for j in range(5)]
    for j in range(4):
        expected = np.zeros((2, 240, 304))
        for t, column, row, p in whole.tolist():
            if edges[j] <= t < edges[j + 1]:
                expected[p, row, column] += 1
        np.testing.assert_array_equal(x[j].numpy(), expected)
    assert x.sum() > 0


def test_windows_before_the_beginning_are_empty_there(layouts: Any, tmp_path: Path) -> None:
    dataset = Gen1(layouts.gen1(tmp_path), T=2, window_us=1_400_000)
    whole = read_events(tmp_path / "train" / "17-04-06_train_0_td.dat")
    x, _ = dataset[0]
    assert x[0].sum() == 0
    assert x[1].sum() == (whole["t"] < 700_000).sum()


def test_order_pickle_and_workers_change_nothing(layouts: Any, tmp_path: Path) -> None:
    dataset = Gen1(layouts.gen1(tmp_path), split="test", T=2)
    twin = pickle.loads(pickle.dumps(dataset))
    loader = DataLoader(dataset, batch_size=4, collate_fn=list)
    loaded = [item for batch in loader for item in batch]
    for i in reversed(range(len(dataset))):
        for x, y in (twin[i], loaded[i]):
            assert torch.equal(x, dataset[i][0])
            np.testing.assert_array_equal(y, dataset[i][1])
    dataset[0][1]["x"] = -1
    assert (dataset[0][1]["x"] >= 0).all()
    first = Gen1(tmp_path, split="test", T=2, target_transform=len)
    assert [first[i][1] for i in range(len(first))] == first.targets.tolist()


def test_events_may_be_integrated_otherwise(layouts: Any, tmp_path: Path) -> None:
    def count(events: Any, size: tuple[int, int]) -> Any:
        return np.full((1, 1, 1, 1), len(events), np.float32)

    dataset = Gen1(layouts.gen1(tmp_path), integrate=count)
    assert dataset[0][0].item() == len(dataset.events(0))


def test_faults_are_named(layouts: Any, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"Gen1 Automotive Detection: train\.7z is missing"):
        Gen1(tmp_path)
    (tmp_path / "train.7z").write_bytes(b"7z")
    with pytest.raises(FormatError, match=r"train\.7z cannot be read as it is; unpack it \(7-Zip"):
        Gen1(tmp_path)
    layouts.gen1(tmp_path)
    path = tmp_path / "train" / "17-04-06_train_0_td.dat"
    with path.open("ab") as file:
        file.write(b"cut")
    with pytest.raises(FormatError, match=r"has 3 bytes after event 3000, no whole number of ev"):
        Gen1(tmp_path)[0]
    for number in range(2):
        np.save(tmp_path / "train" / f"17-04-06_train_{number}_bbox.npy", layouts.boxes([]))
    with pytest.raises(FormatError, match="holds 2 recordings of train and no boxes that count"):
        Gen1(tmp_path)
    (tmp_path / "train" / "17-04-06_train_1_bbox.npy").unlink()
    with pytest.raises(FormatError, match=r"train_1_bbox\.npy is missing; it holds the boxes"):
        Gen1(tmp_path)
