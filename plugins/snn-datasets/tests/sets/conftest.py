"""Tiny copies of how each dataset of event cameras is laid out, written anew for each test."""

from __future__ import annotations

import io
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import make_events, write_events
from snn_datasets.formats.dat import BOX

CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
BULLYING = [
    "handshake",
    "slapping",
    "punching",
    "walking",
    "fingerguess",
    "strangling",
    "greeting",
    "pushing",
    "hairgrabs",
    "kicking",
]


class Layouts:
    """Writes datasets into folders. Every recording differs from every other."""

    bullying = BULLYING

    def __init__(self) -> None:
        self.random = np.random.default_rng(5)

    def drawn(self, size: tuple[int, int], *, n: int = 0, start: int = 0, end: int = 90_000) -> Any:
        n = n or int(self.random.integers(30, 60))
        t = np.sort(self.random.integers(start, end, n))
        x, y = self.random.integers(0, size[0], n), self.random.integers(0, size[1], n)
        return make_events(t=t, x=x, y=y, p=self.random.integers(0, 2, n))

    def zipped(self, path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, body in members:
                archive.writestr(name, body)
        return path

    def body(self, events: Any, format: str | dict[str, Any], folder: Path) -> bytes:
        folder.mkdir(parents=True, exist_ok=True)
        path = write_events(folder / "one", events, format)
        body = path.read_bytes()
        path.unlink()
        return body

    def aedat2(self, rows: Iterable[tuple[int, int, int, int]]) -> bytes:
        """Raw (t, x, y, bit), as a DVS128 writes them."""
        words = (struct.pack(">II", y << 8 | x << 1 | bit, t) for t, x, y, bit in rows)
        return b"#!AER-DAT2.0\r\n# no chip is named\r\n" + b"".join(words)

    def dat1(self, rows: Iterable[tuple[int, int, int, int]]) -> bytes:
        """(t, x, y, p) of an ATIS, version 1."""
        words = (struct.pack("<II", t, p << 17 | y << 9 | x) for t, x, y, p in rows)
        return b"% Data file containing TD events.\n% Version 1\n\x00\x08" + b"".join(words)

    def pickled(self, lists: list[list[tuple[Any, ...]]]) -> bytes:
        array = np.empty(len(lists), object)
        array[:] = lists
        file = io.BytesIO()
        np.save(file, array, allow_pickle=True)
        return file.getvalue()

    def n_caltech101(self, root: Path, classes: tuple[str, ...] = ("ant", "Faces_easy")) -> Path:
        rows = (
            (
                f"Caltech101/{name}/image_{i:04d}.bin",
                self.body(self.drawn((240, 180)), "bin40", root),
            )
            for name in classes
            for i in range(1, 11)
        )
        self.zipped(root / "Caltech101.zip", rows)
        return root

    def asl_dvs(self, root: Path, letters: str = "acy", count: int = 5) -> Path:
        scipy = pytest.importorskip("scipy.io")
        for letter in letters:
            rows = list[tuple[str, bytes]]()
            for i in range(1, count + 1):
                events, file = self.drawn((240, 180)), io.BytesIO()
                columns = {"ts": events["t"], "pol": events["p"], "x": events["x"]}
                columns["y"] = events["y"]
                scipy.savemat(file, {k: v.reshape(-1, 1) for k, v in columns.items()})
                rows.append((f"{letter}_{i:04d}.mat", file.getvalue()))
            self.zipped(root / f"{letter}.zip", rows)
        return root

    def cifar10_dvs(self, root: Path, count: int = 5) -> Path:
        for name in CIFAR10:
            rows = (
                (
                    f"{name}/cifar10_{name}_{i}.aedat",
                    self.aedat2(
                        (int(e["t"]), int(e["x"]), int(e["y"]), int(e["p"]))
                        for e in self.drawn((128, 128), n=20 + i % 7)
                    ),
                )
                for i in range(count)
            )
            self.zipped(root / f"{name}.zip", rows)
        return root

    def gestures(self, root: Path) -> Path:
        """Two recordings of train and one of test, with intervals that overlap."""
        root.mkdir(parents=True, exist_ok=True)
        trials = {
            "train": {
                "user02_led": [(10, 0, 30_000), (8, 40_000, 60_000), (8, 70_000, 80_000)],
                "user10_fluorescent_led": [(1, 5_000, 50_000), (11, 40_000, 89_000)],
            },
            "test": {"user24_lab": [(2, 0, 40_000), (4, 30_000, 85_000), (9, 50_000, 90_000)]},
        }
        for split, recordings in trials.items():
            lines = "".join(f"{name}.aedat\n" for name in recordings)
            (root / f"trials_to_{split}.txt").write_text(lines)
            for name, intervals in recordings.items():
                path = root / f"{name}.aedat"
                write_events(path, self.drawn((128, 128), n=400), "aedat31")
                rows = "".join(f"{c},{a},{b}\n" for c, a, b in intervals)
                (root / f"{name}_labels.csv").write_text(
                    f"class,startTime_usec,endTime_usec\n{rows}"
                )
        return root

    def tar(self, folder: Path, path: Path) -> Path:
        with tarfile.open(path, "w:gz") as archive:
            archive.add(folder, folder.name)
        shutil.rmtree(folder)
        return path

    def gestures_precut(self, root: Path) -> Path:
        for split, users in (("Train", ("user03_led", "user11_lab")), ("Test", ("user25_lab",))):
            for user in users:
                folder = root / f"ibmGesture{split}" / user
                folder.mkdir(parents=True)
                for label in (0, 2, 10):
                    events = self.drawn((128, 128))
                    table = [events["x"], events["y"], events["p"], np.sort(events["t"] // 1000)]
                    np.save(folder / f"{label}.npy", np.stack(table, 1).astype(np.float64))
        return root

    def es_imagenet(self, root: Path) -> Path:
        def simulated(path: Path) -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            counts = self.random.integers(20, 40, 2)
            pos, neg = (
                np.stack([*self.random.integers(16, 240, (2, n)), self.random.integers(1, 9, n)], 1)
                for n in counts
            )
            np.savez(path, pos=pos.astype(np.int32), neg=neg.astype(np.int32))

        top = root / "ES-imagenet-0.18"
        for k in (0, 2, 10, 999):
            for i in range(2):
                simulated(top / "train" / f"class{k}" / f"n0144_{i}.npz")
        labels = list[str]()
        for i, k in enumerate((999, 0, 10)):
            simulated(top / "val" / f"ILSVRC2012_val_{i:08d}.npz")
            labels.append(f"ILSVRC2012_val_{i:08d}.npz {k}\n")
        (top / "vallabel.txt").write_text("".join(labels))
        return root

    def n_cars(self, root: Path) -> Path:
        rows = (
            (
                f"Prophesee_Dataset_n_cars/n-cars_{split}/{name}/obj_{i:06d}_td.dat",
                self.body(self.drawn((120, 100)), "dat", root).replace(b"\x0c\x08", b"\x00\x08", 1),
            )
            for split in ("train", "test")
            for name in ("cars", "background")
            for i in range(4)
        )
        self.zipped(root / "Prophesee_Dataset_n_cars.zip", rows)
        return root

    def hardvs(self, root: Path) -> Path:
        lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
        for action in (1, 7, 300):
            names = [f"dvSave-2021_10_15_19_{action % 60:02d}_{i:02d}" for i in range(4)]
            rows = (
                (f"{name}.npz", self.body(self.drawn((346, 260)), "npz", root)) for name in names
            )
            folder = root / "MINI_HARDVS_files"
            self.zipped(folder / f"action_{action:03d}.zip", rows)
            for split, name in zip(("train", "val", "test"), names, strict=False):
                lists[split].append(f"action_{action:03d}/{name} {action - 1}\n")
        for split, lines in lists.items():
            (root / f"{split}_label.txt").write_text("".join(lines))
        return root

    def nav_gesture(self, root: Path) -> Path:
        for user in ("anna", "bob", "cleo"):
            rows = (
                (
                    f"{user}/{user}_{label}_{i}_td.dat",
                    self.dat1(
                        (int(e["t"]), int(e["x"]), int(e["y"]), int(e["p"]))
                        for e in self.drawn((304, 240), start=700)
                    ),
                )
                for label in ("le", "ri", "up", "do", "ho", "se")
                for i in range(2)
            )
            self.zipped(root / f"{user}.zip", rows)
        return root

    def dvs_lip(self, root: Path) -> Path:
        rows = (
            (
                f"DVS-Lip/{split}/{word}/{i}.npy",
                self.body(self.drawn((128, 128)), "npy", root),
            )
            for split in ("train", "test")
            for word in ("about", "young", "billion")
            for i in range(3)
        )
        self.zipped(root / "DVS-Lip.zip", rows)
        return root

    def bullying10k(self, root: Path, count: int = 3) -> Path:
        for name in BULLYING:
            rows = list[tuple[str, bytes]]()
            for i in range(count):
                events = [tuple(e) for e in self.drawn((346, 260)).tolist()]
                rows.append((f"{name}/scene{i}/{i}.npy", self.pickled([events[:9], events[9:]])))
            self.zipped(root / f"{name}.zip", rows)
        return root

    def boxes(self, rows: list[tuple[Any, ...]]) -> Any:
        """(t, x, y, w, h, class, track, confidence)"""
        return np.array(rows, BOX)

    def gen1(self, root: Path) -> Path:
        for split in ("train", "val", "test"):
            for number in range(2):
                stem = root / split / f"17-04-06_{split}_{number}"
                stem.parent.mkdir(parents=True, exist_ok=True)
                events = self.drawn((304, 240), n=3000, end=1_500_000)
                write_events(f"{stem}_td.dat", events, {"name": "dat", "width": 304, "height": 240})
                rows = [
                    (t, 10.0 * i, 20.0, 40.0, 30.0 + number, i % 2, i, 1.0)
                    for t in (400_000, 700_000, 1_000_000, 1_400_000)
                    for i in range(1 + t // 700_000)
                ]
                np.save(f"{stem}_bbox.npy", self.boxes(rows))
        return root

    def dsec_file(self, path: Path, events: Any, *, offset: int, ms: int) -> Any:
        h5py = pytest.importorskip("h5py")
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as h5:
            for field, dtype in (("t", "u4"), ("x", "u2"), ("y", "u2"), ("p", "u1")):
                h5[f"events/{field}"] = events[field].astype(dtype)
            h5["t_offset"] = np.int64(offset)
            h5["ms_to_idx"] = np.searchsorted(events["t"], np.arange(ms + 1) * 1000).astype("u8")
        return events

    def dsec(self, root: Path) -> Path:
        for split, names in (("train", ("thun_00_a", "interlaken_00_c")), ("test", ("zurich_1",))):
            for name in names:
                for camera in ("left", "right"):
                    path = root / f"{split}_events" / name / "events" / camera / "events.h5"
                    events = self.drawn((640, 480), n=2000, end=100_000)
                    self.dsec_file(path, events, offset=5_000_000, ms=99)
        return root


@pytest.fixture(scope="session")
def layouts() -> Layouts:
    return Layouts()


@pytest.fixture(scope="class")
def laid_out(
    request: pytest.FixtureRequest, layouts: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Writes the layout that a class names, once for all its tests."""
    root = tmp_path_factory.mktemp(request.cls.layout)
    getattr(layouts, request.cls.layout)(root)
    request.cls.prepares = True
    request.cls.params = {"T": 2, **request.cls.params, "root": str(root)}
