"""Which way up and which polarity: known events of a file, and the picture they make."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import (
    ASLDVS,
    CIFAR10DVS,
    HARDVS,
    NCARS,
    Bullying10K,
    DVSGesture,
    DVSLip,
    ESImageNet,
    NavGestureSit,
    NCaltech101,
    make_events,
    write_events,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*is not the published file")

# An F is none of its own mirror images or rotations.
F = ["####", "#...", "###.", "#...", "#..."]
INK = [(x, y) for y, row in enumerate(F) for x, mark in enumerate(row) if mark == "#"]


def picture(dataset: Any) -> tuple[list[str], list[str]]:
    """The ON and the OFF events of item 0 in the upper left corner of 4 x 5 pixels."""
    x, _ = dataset[0]
    counts = x.sum(0).int().numpy()
    assert counts.sum() == len(dataset.events(0))
    on, off = (
        ["".join("#" if n else "." for n in row) for row in counts[p, :5, :4]] for p in (1, 0)
    )
    return on, off


BLANK = ["...."] * 5


@pytest.mark.parametrize(("on_bit", "expected"), [(0, (F, BLANK)), (1, (BLANK, F))])
def test_cifar10_dvs_is_turned_upright(
    layouts: Any, tmp_path: Path, on_bit: Any, expected: Any
) -> None:
    # x = 127 - y_file and y = 127 - x_file; a bit of 0 is ON.
    body = layouts.aedat2((10 * i, 127 - y, 127 - x, 0) for i, (x, y) in enumerate(INK))
    layouts.cifar10_dvs(tmp_path, count=1)
    layouts.zipped(tmp_path / "airplane.zip", [("airplane/cifar10_airplane_0.aedat", body)])
    assert picture(CIFAR10DVS(tmp_path, T=1, on_bit=on_bit)) == expected


def test_asl_dvs_is_turned_upside_down(layouts: Any, tmp_path: Path) -> None:
    scipy = pytest.importorskip("scipy.io")
    file = io.BytesIO()
    columns = zip(*((10 * i, x, 179 - y, 1) for i, (x, y) in enumerate(INK)), strict=True)
    names = ("ts", "x", "y", "pol")
    found = {n: np.array(c).reshape(-1, 1) for n, c in zip(names, columns, strict=True)}
    scipy.savemat(file, found)
    layouts.zipped(tmp_path / "a.zip", [("a_0001.mat", file.getvalue())])
    assert picture(ASLDVS(tmp_path, T=1)) == (F, BLANK)
    mirrored = ASLDVS(tmp_path, T=1, mirrored=True)
    corner = mirrored[0][0][0, 1, :5, -4:].int().tolist()
    assert ["".join(".#"[n] for n in row[::-1]) for row in corner] == F


def test_nav_gesture_is_turned_upside_down(layouts: Any, tmp_path: Path) -> None:
    body = layouts.dat1((500 + 10 * i, x, 239 - y, 1) for i, (x, y) in enumerate(INK))
    layouts.zipped(tmp_path / "anna.zip", [("anna/anna_le_1_td.dat", body)])
    assert picture(NavGestureSit(tmp_path, T=1)) == (F, BLANK)


# What the others hold is what is seen.
AS_STORED = {
    "n_caltech101": (NCaltech101, "Caltech101/ant/image_0001.bin", "bin40"),
    "n_cars": (NCARS, "n-cars_train/cars/obj_000000_td.dat", "dat"),
    "dvs_lip": (DVSLip, "DVS-Lip/train/about/0.npy", "npy"),
    "hardvs": (HARDVS, "action_001/one.npz", "npz"),
    "bullying10k": (Bullying10K, "handshake/one.npy", None),
    "dvs_gesture": (DVSGesture, "user01_lab.aedat", "aedat31"),
    "es_imagenet": (ESImageNet, "train/class0/one.npz", None),
}


@pytest.mark.parametrize("name", AS_STORED)
@pytest.mark.parametrize("polarity", [0, 1])
def test_the_others_are_as_stored(layouts: Any, tmp_path: Path, name: str, polarity: int) -> None:
    dataset, file, format = AS_STORED[name]
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    x, y = np.array(INK).T
    events = make_events(t=10 * np.arange(len(INK)), x=x, y=y, p=np.full(len(INK), polarity))
    if format is not None:
        write_events(path, events, format)
    elif name == "bullying10k":
        # The first of the sorted files is test.
        for other in layouts.bullying:
            (tmp_path / other).mkdir(exist_ok=True)
            for file in ("a.npy", "one.npy"):
                (tmp_path / other / file).write_bytes(layouts.pickled([events.tolist()]))
    else:
        rows = np.stack([y, x, 1 + np.arange(len(INK)) % 8], 1)
        sides = {"pos": rows, "neg": rows[:0]} if polarity else {"pos": rows[:0], "neg": rows}
        np.savez(path, **sides)
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}_label.txt").write_text("action_001/one 0\n")
    (tmp_path / "trials_to_train.txt").write_text("user01_lab.aedat\n")
    (tmp_path / "user01_lab_labels.csv").write_text(
        "class,startTime_usec,endTime_usec\n1,0,100000\n"
    )
    made = dataset(tmp_path, T=8 if name == "es_imagenet" else 1)
    assert picture(made) == ((F, BLANK) if polarity else (BLANK, F))
