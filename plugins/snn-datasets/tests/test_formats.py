"""The platform's contract for formats, on files written here, so that no recording is needed."""

from __future__ import annotations

import os
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from snncore.testing.format import FormatConformance


class TestBin40(FormatConformance):
    component = "snn-datasets/bin40"
    # Beyond 2^23 us, time markers are needed.
    duration_us = 20_000_000


class TestAedat31(FormatConformance):
    component = "snn-datasets/aedat31"
    # Times that cross an overflow of 2^31 us.
    duration_us = 3_000_000_000


class TestEvt2(FormatConformance):
    component = "snn-datasets/evt2"


class TestEvt2OnASensor(FormatConformance):
    component = "snn-datasets/evt2"
    params = {"width": 34, "height": 34}


class TestEvt21(FormatConformance):
    component = "snn-datasets/evt21"
    pixels = (1280, 720)


class TestEvt3(FormatConformance):
    component = "snn-datasets/evt3"
    params = {"width": 1280, "height": 720}
    pixels = (1280, 720)
    # Loops of 2^24 us, and steps above half of one.
    duration_us = 500_000_000


class TestDat(FormatConformance):
    component = "snn-datasets/dat"
    params = {"width": 640, "height": 480}
    pixels = (640, 480)


class TestNpz(FormatConformance):
    component = "snn-datasets/npz"


class TestNpy(FormatConformance):
    component = "snn-datasets/npy"


class TestCsv(FormatConformance):
    component = "snn-datasets/csv"


class _Read(FormatConformance):
    """Formats that write nothing: the example is encoded here, by nothing that decodes it."""

    def expected(self) -> NDArray[Any]:
        return self.drawn(60)

    def test_the_example_is_read_as_it_was_made(self) -> None:
        assert self.decode(self.example()).tolist() == self.expected().tolist()


class TestAedat2(_Read):
    component = "snn-datasets/aedat2"

    def example(self) -> bytes:
        rows = self.expected().tolist()
        words = [(y << 8 | (127 - x) << 1 | 1 - p, t) for t, x, y, p in rows]
        header = b"#!AER-DAT2.0\r\n# AEChip: a.b.DVS128\r\n"
        return header + b"".join(struct.pack(">II", *word) for word in words)


class TestAedat2OfDavis(_Read):
    component = "snn-datasets/aedat2"
    # The first byte of an address of row 141 is that of a header line.
    pixels = (240, 180)

    def expected(self) -> NDArray[Any]:
        events = self.drawn(60)
        events["y"][0] = 141
        return events

    def example(self) -> bytes:
        rows = self.expected().tolist()
        words = [(y << 22 | (239 - x) << 12 | p << 11, t) for t, x, y, p in rows]
        # Words that are no change events: an image sample, and an external trigger.
        words[3:3] = [(1 << 31, 5), (1 << 10, 5)]
        header = b"#!AER-DAT2.0\r\n# AEChip: a.b.DAVIS240C\r\n"
        return header + b"".join(struct.pack(">II", *word) for word in words)


class TestAedat1(_Read):
    component = "snn-datasets/aedat1"

    def example(self) -> bytes:
        rows = self.expected().tolist()
        words = [(y << 8 | (127 - x) << 1 | 1 - p, t) for t, x, y, p in rows]
        return b"#!AER-DAT1.0\r\n" + b"".join(struct.pack(">HI", *word) for word in words)


class TestDatOfAtis(_Read):
    component = "snn-datasets/dat"

    def example(self) -> bytes:
        words = [(t, p << 17 | y << 9 | x) for t, x, y, p in self.expected().tolist()]
        header = b"% Data file containing TD events.\n% Version 1\n\0\x08"
        return header + b"".join(struct.pack("<II", *word) for word in words)


class TestEvt21Legacy(_Read):
    component = "snn-datasets/evt21"
    pixels = (32, 32)

    def example(self) -> bytes:
        words = list[tuple[int, int]]()
        for t, x, y, p in self.expected().tolist():
            words += [(8 << 28 | t >> 6, 0), (p << 28 | (t & 63) << 22 | y, 1 << x)]
        header = b"% format EVT21;endianness=legacy;height=32;width=32\n% end\n"
        return header + b"".join(struct.pack("<II", *word) for word in words)


class TestMat(_Read):
    component = "snn-datasets/mat"

    def example(self) -> bytes:
        events, file = self.expected(), BytesIO()
        columns = {"ts": "t", "x": "x", "y": "y", "pol": "p"}
        pytest.importorskip("scipy.io").savemat(
            file, {key: events[field].astype(float)[:, None] for key, field in columns.items()}
        )
        # The text at the beginning holds the time of writing.
        return b"MATLAB 5.0 MAT-file".ljust(116) + file.getvalue()[116:]


class TestShd(_Read):
    component = "snn-datasets/shd"
    params = {"sample": 1}
    pixels = (700, 1)

    def expected(self) -> NDArray[Any]:
        events = self.drawn(60)
        # What float16 seconds can say.
        events["t"] = np.rint((events["t"] / 4e6).astype(np.float16).astype(float) * 1e6)
        events["p"] = 0
        return events

    def example(self) -> bytes:
        h5py = pytest.importorskip("h5py")
        events, file = self.expected(), BytesIO()
        with h5py.File(file, "w") as h5:
            for name, column, dtype in (
                ("times", events["t"] / 1e6, np.float16),
                ("units", events["x"], np.uint16),
            ):
                made = h5.create_dataset(f"spikes/{name}", 2, dtype=h5py.vlen_dtype(dtype))
                made[0], made[1] = np.zeros(3, dtype), column.astype(dtype)
        return file.getvalue()


class TestNTidigits(_Read):
    component = "snn-datasets/ntidigits"
    params = {"sample": 1, "split": "test"}
    pixels = (64, 1)

    def expected(self) -> NDArray[Any]:
        events = self.drawn(60)
        events["p"] = 0
        return events

    def example(self) -> bytes:
        h5py = pytest.importorskip("h5py")
        events, file = self.expected(), BytesIO()
        with h5py.File(file, "w") as h5:
            lists = {"train": ["man-ab-a-3"], "test": ["man-cd-b-z", "man-cd-a-1o"]}
            for split, names in lists.items():
                h5[f"{split}_labels"] = np.array(names, "S")
                for name in names:
                    own = events if name == "man-cd-a-1o" else events[:3]
                    h5[f"{split}_timestamps/{name}"] = own["t"] / 1e6
                    h5[f"{split}_addresses/{name}"] = own["x"].astype("u1")
        return file.getvalue()


class TestDsec(_Read):
    component = "snn-datasets/dsec"
    pixels = (640, 480)

    def example(self) -> bytes:
        h5py = pytest.importorskip("h5py")
        events, file = self.expected(), BytesIO()
        with h5py.File(file, "w") as h5:
            h5["t_offset"] = events["t"][0]
            for field, dtype in (("t", "u4"), ("x", "u2"), ("y", "u2"), ("p", "u1")):
                column = events[field] - (events["t"][0] if field == "t" else 0)
                h5[f"events/{field}"] = column.astype(dtype)
        return file.getvalue()


class TestAedat4(FormatConformance):
    """On the beginning of a real recording: nothing here can write the format."""

    component = "snn-datasets/aedat4"

    def example(self) -> bytes:
        pytest.importorskip("aedat")
        path = Path(os.environ.get("SNN_TEST_DATA") or "missing", "aedat4/tonic_sample.aedat4")
        if not path.is_file():
            pytest.skip("SNN_TEST_DATA names no folder with aedat4")
        return path.read_bytes()
