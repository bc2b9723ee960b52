"""Choosing formats, chunks, writing, and what the errors say; files are made here."""

from __future__ import annotations

import io
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import snncore
from snn_datasets import (
    EVENT,
    FormatError,
    MissingExtra,
    iter_events,
    make_events,
    read_boxes,
    read_events,
    sensor_size,
    write_events,
)
from snn_datasets.formats.aedat31 import Aedat31
from snn_datasets.formats.dat import BOX
from snn_datasets.formats.evt3 import Evt3
from snn_datasets.formats.words import BLOCK

EVENTS = make_events(t=[5, 9, 70_000, 70_000], x=[0, 1, 33, 2], y=[2, 2, 0, 3], p=[1, 0, 1, 1])
drawn = settings(derandomize=True, deadline=None, max_examples=60, database=None)


def rows(width: int, height: int, end: int) -> st.SearchStrategy[list[tuple[int, int, int, int]]]:
    row = st.tuples(
        st.integers(0, end - 1),
        st.integers(0, width - 1),
        st.integers(0, height - 1),
        st.integers(0, 1),
    )
    return st.lists(row, max_size=20).map(sorted)


def there_and_back(name: str, found: list[tuple[int, int, int, int]], **options: Any) -> None:
    events = np.array(found, EVENT)
    file = io.BytesIO()
    snncore.build("format", name, **options).write(file, events, name="a")
    decoder = snncore.build("format", name)
    assert decoder.read(file, name="a").tolist() == events.tolist()


@drawn
@given(rows(256, 240, 1 << 30))
def test_bin40_round_trip(found: list[tuple[int, int, int, int]]) -> None:
    there_and_back("bin40", found)


@drawn
@given(rows(128, 128, 1 << 40))
def test_aedat31_round_trip(found: list[tuple[int, int, int, int]]) -> None:
    there_and_back("aedat31", found)


@drawn
@given(rows(1 << 14, 1 << 14, 1 << 31))
def test_dat_round_trip(found: list[tuple[int, int, int, int]]) -> None:
    there_and_back("dat", found)


@drawn
@given(rows(2048, 2048, 1 << 33), st.sampled_from(["evt2", "evt21", "evt3"]))
def test_raw_round_trip(found: list[tuple[int, int, int, int]], name: str) -> None:
    there_and_back(name, found)


@drawn
@given(rows(1 << 15, 1 << 15, 1 << 53), st.sampled_from(["npz", "npy", "csv"]))
def test_tables_round_trip(found: list[tuple[int, int, int, int]], name: str) -> None:
    there_and_back(name, found)


@pytest.mark.parametrize(
    ("suffix", "format"),
    [
        (".bin", None),
        (".aedat", None),
        (".dat", None),
        (".npz", None),
        (".npy", None),
        (".csv", None),
        (".raw", "evt2"),
        (".raw", "evt21"),
        (".raw", {"name": "evt3", "width": 34, "height": 4}),
    ],
)
def test_what_is_written_is_found_and_read(tmp_path: Path, suffix: str, format: Any) -> None:
    path = write_events(tmp_path / f"a{suffix}", EVENTS, format)
    assert read_events(path).tolist() == EVENTS.tolist()
    assert [len(chunk) for chunk in iter_events(path, events=3)] == [3, 1]
    assert os.listdir(tmp_path) == [path.name]


def test_a_format_is_known_by_what_a_file_holds_whatever_its_name(tmp_path: Path) -> None:
    path = write_events(tmp_path / "a.raw", EVENTS, {"name": "evt3", "width": 34, "height": 4})
    wrong = path.rename(tmp_path / "a.bin")
    assert read_events(wrong).tolist() == EVENTS.tolist()
    assert sensor_size(wrong) == (34, 4)


def test_blocks_carry_their_state_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    t = np.cumsum(random.integers(0, 9_000_000, 300))
    x, y, p = random.integers(0, 200, (3, 300))
    events = make_events(t=t, x=x, y=y, p=p % 2)
    paths = [write_events(tmp_path / f"{n}.raw", events, n) for n in ("evt2", "evt21", "evt3")]
    paths.append(write_events(tmp_path / "a.bin", events, "bin40"))
    assert BLOCK > 10_000
    monkeypatch.setattr("snn_datasets.formats.words.BLOCK", 7)
    for path in paths:
        assert read_events(path).tolist() == events.tolist(), path.name


def test_two_writers_of_a_suffix_are_both_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"a\.raw could be .*evt2 or .*evt21 or .*evt3; say whic"):
        write_events(tmp_path / "a.raw", EVENTS)
    with pytest.raises(FormatError, match=r"no registered format writes files named \*\.xyz; say"):
        write_events(tmp_path / "a.xyz", EVENTS)
    with pytest.raises(
        FormatError, match=r"snn-datasets/aedat2 only reads files; formats that wri"
    ):
        write_events(tmp_path / "a.aedat", EVENTS, "aedat2")


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = write_events(tmp_path / "a.bin", EVENTS)
    before = path.read_bytes()
    far = make_events(t=[1], x=[300], y=[0], p=[0])
    text = r"a\.bin: event 0 has x = 300; this format holds x from 0 to 255 \(1 such events\)"
    with pytest.raises(FormatError, match=text):
        write_events(path, far)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.bin"]


def test_what_bin40_cannot_hold(tmp_path: Path) -> None:
    marker = make_events(t=[1], x=[3], y=[240], p=[0])
    with pytest.raises(FormatError, match="event 0 has y = 240, which this format keeps for its"):
        write_events(tmp_path / "a.bin", marker)
    falling = make_events(t=[9, 3], x=[3, 3], y=[2, 2], p=[0, 0])
    with pytest.raises(FormatError, match="times descend from 9 us to 3 us at event 1; sort the"):
        write_events(tmp_path / "a.bin", falling)


def test_chunks_have_at_least_one_event(tmp_path: Path) -> None:
    path = write_events(tmp_path / "a.bin", EVENTS)
    with pytest.raises(ValueError, match="events must be at least 1, got 0"):
        next(iter_events(path, events=0))


def test_a_sensor_that_nobody_knows(tmp_path: Path) -> None:
    path = write_events(tmp_path / "a.bin", EVENTS)
    text = r"a\.bin does not say the size of its sensor, nor does snn-datasets/bin40; the data shee"
    with pytest.raises(FormatError, match=text):
        sensor_size(path)


def test_vectors_of_evt3() -> None:
    """By hand: base 20, 12 bits, 8 bits on the next columns, then a single one elsewhere."""
    words = [0x8001, 0x6002, 0x0007, 0x3814, 0x4801, 0x5003, 0x2009, 0x8001, 0x2809, 0x8002, 0x2809]
    data = np.array(words, "<u2").tobytes()
    t = (1 << 12) + 2
    assert Evt3().read(io.BytesIO(data), name="a").tolist() == [
        (t, 20, 7, 1),
        (t, 31, 7, 1),
        (t, 32, 7, 1),
        (t, 33, 7, 1),
        (t, 9, 7, 0),
        # An equal higher part keeps the lower one; another sets it to 0.
        (t, 9, 7, 1),
        (2 << 12, 9, 7, 1),
    ]


def test_events_before_the_first_time_or_row_are_dropped() -> None:
    data = np.array([0x2001, 0x8001, 0x2001, 0x0003, 0x4001, 0x2005], "<u2").tobytes()
    assert Evt3().read(io.BytesIO(data), name="a").tolist() == [(1 << 12, 5, 3, 0)]


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("evt2", b"% evt 2.0\n\0\0\0", r"3 bytes after its header of 10 bytes, which is no multip"),
        ("evt2", b"% evt 2.0\n\0\0\0\x20", r"at byte 10 a word of type 0x2, which EVT 2\.0 does"),
        (
            "evt3",
            b"% geometry 8x8\n\x00\x80\x00\x00\x08\x20",
            r"event 0 has x=8, y=0, which is off its sensor of 8 x 8 pixels \(1 such events here\)",
        ),
        (
            "evt2",
            b"% evt 3.0\n",
            "its header names words of EVT3, this is the decoder of EVT2: leave format out, or na",
        ),
        (
            "evt3",
            b"% format EVT21;height=8;width=8\n",
            "its header names words of EVT21, this is the decoder of EVT3: leave format out",
        ),
        (
            "dat",
            b"% evt 3.0\n",
            r"its header has the line 'evt' of raw words, which are no \.dat fi",
        ),
        ("aedat1", b"#!AER-DAT2.0\r\n", r"begins with b'#!AER-DAT2\.0', not with b'#!AER-DAT1"),
        ("aedat2", b"#!AER-DAT1.0\r\n", r"begins with b'#!AER-DAT1\.0', not with b'#!AER-DAT2"),
        ("dat", b"% Version 3\n\0\x08", r"is of version '3'; versions 1 and 2 are known"),
        ("dat", b"% Version 2\n\0\x09", r"the two bytes at 12, .*, are 0x0009; the size must be 8"),
        ("aedat31", b"#!AER-DAT2.0\r\n", r"begins with b'#!AER-DAT2\.0', not with b'#!AER-DAT3\.1"),
        ("aedat31", b"#!AER-DAT3.1\r\n", r"its header ends at byte 14 without #!END-HEADER"),
        (
            "aedat31",
            b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + bytes(4),
            r"ends within the packet header at byte 28: 4 of 28 bytes are there",
        ),
        (
            "aedat31",
            b"#!AER-DAT3.1\r\n#!END-HEADER\r\n"
            + np.array([1, 8, 4, 0, 2, 2, 2], "<i4").tobytes()
            + bytes(8),
            r"ends within the packet at byte 28: 8 of 16 bytes of events are there",
        ),
        (
            "aedat31",
            b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + np.array([1, 8, 4, 0, 1, 2, 2], "<i4").tobytes(),
            r"the packet header at byte 28 contradicts itself \(.*number=2.*\)",
        ),
        ("aedat2", b"#!AER-DAT2.0\r\n", r"its header names no chip; known are DVS128, DAVIS240"),
        ("csv", b"a,b\n", r"begins with the line 'a,b', which does not name t, x, y and p"),
        ("csv", b"t,x,y,p\n1,2,3,7\n", r"event 0 has p = 7\.0, expected 0 and 1, or -1 and 1"),
        (
            "csv",
            b"t,x,y,p\n1,2,3,1\n1,2.5,3,1\n",
            r"event 1 has x = 2\.5, expected a column from 0",
        ),
        ("npy", b"\x93NUMPY", r"has no readable \.npy header"),
        ("npz", b"PK\x03\x04", r"is no readable zip file of arrays \(BadZipFile: File is not a zi"),
        ("mat", b"MATLAB 5.0 MAT-file", r"is no readable MATLAB 5 file"),
    ],
)
def test_errors_say_what_is_wrong_and_where(
    tmp_path: Path, name: str, data: bytes, text: str
) -> None:
    path = tmp_path / "b"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=text):
        read_events(path, name)


def test_invalid_events_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    file = io.BytesIO()
    Aedat31().write(file, EVENTS, name="a")
    data = bytearray(file.getvalue())
    data[-8] &= 0xFE
    with caplog.at_level("INFO", logger="snn_datasets"):
        events = Aedat31().read(io.BytesIO(bytes(data)), name="a")
    assert events.tolist() == EVENTS[:-1].tolist()
    assert "a: 1 events are marked invalid and dropped" in caplog.text


class Hostile:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, ("hostile",)


def test_a_hostile_pickle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    array = np.empty(1, object)
    array[0] = Hostile()
    np.save("a.npy", array, allow_pickle=True)
    with pytest.raises(FormatError, match=r"it names .*\.mkdir, which is not allowed"):
        read_events("a.npy")
    assert not Path("hostile").exists()


def test_pickled_lists_are_rows(tmp_path: Path) -> None:
    rows_of = np.empty(2, object)
    rows_of[0], rows_of[1] = [[5, 3, 4, 1], [7, 0, 0, 0]], [[9, 1, 2, 1]]
    np.save(tmp_path / "a.npy", rows_of, allow_pickle=True)
    assert read_events(tmp_path / "a.npy").tolist() == [(5, 3, 4, 1), (7, 0, 0, 0), (9, 1, 2, 1)]
    raw = (tmp_path / "a.npy").read_bytes()
    start = raw.index(b"\n") + 1
    (tmp_path / "a.npy").write_bytes(raw[:start] + pickle.dumps([["a", 1, 2, 3]]))
    with pytest.raises(FormatError, match=r"that are no lists of .* a str among the numbers"):
        read_events(tmp_path / "a.npy")


def test_an_array_that_promises_more_than_it_holds(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<i8", "fortran_order": False, "shape": (1 << 50, 4)}
    )
    (tmp_path / "a.npy").write_bytes(file.getvalue())
    with pytest.raises(FormatError, match=r"the header at byte 0 promises int64 of shape \(112589"):
        read_events(tmp_path / "a.npy")


def test_units_and_columns_of_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("3 4 -1 0.0025\n3 5 1 0.5\n")
    with pytest.raises(FormatError, match=r"begins with the line '3 4 -1 0.0025', which does not"):
        read_events(path)
    events = read_events(path, {"name": "csv", "columns": "xypt", "unit": "s"})
    assert events.tolist() == [(2500, 3, 4, 0), (500_000, 3, 5, 1)]
    with pytest.raises(ValueError, match="columns must name each of t, x, y, p once, got 'xyt'"):
        read_events(path, {"name": "csv", "columns": "xyt"})


def test_other_zip_files_are_none(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(FormatError, match="fits no registered format"):
        read_events(tmp_path / "a.npz")


def test_a_missing_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    monkeypatch.setitem(sys.modules, "h5py", None)
    text = r'HDF5 files need the package h5py, .*: pip install "snn-datasets\[hdf5\]"'
    with pytest.raises(MissingExtra, match=text):
        read_events(path)


def test_boxes_of_old_files(tmp_path: Path) -> None:
    names = {"t": "ts", "class_confidence": "confidence"}
    old = np.zeros(2, [(names.get(n, n), BOX[n]) for n in BOX.names or ()])
    old["ts"], old["confidence"] = [7, 8], 0.5
    np.save(tmp_path / "a.npy", old)
    boxes = read_boxes(tmp_path / "a.npy")
    assert boxes.dtype == BOX
    assert [BOX.fields[n][1] for n in BOX.names] == [0, 8, 12, 16, 20, 24, 28, 32]
    assert (boxes["t"].tolist(), boxes["class_confidence"].tolist()) == ([7, 8], [0.5, 0.5])
    np.save(tmp_path / "b.npy", old["ts"])
    with pytest.raises(FormatError, match="boxes need also t, x, y, w, h, class_id, track_id, cla"):
        read_boxes(tmp_path / "b.npy")
    (tmp_path / "b.npy").write_bytes(b"nothing")
    with pytest.raises(FormatError, match=r"b\.npy is no readable \.npy file of boxes"):
        read_boxes(tmp_path / "b.npy")
