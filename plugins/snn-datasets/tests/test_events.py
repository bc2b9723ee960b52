from __future__ import annotations

import hashlib
import importlib
import sys
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import snncore
from snn_datasets import EVENT, FormatError, frames, make_events, read_events
from snn_datasets.formats.bin40 import Bin40
from snncore.errors import UnknownComponent
from snncore.hookspecs import hookimpl
from snncore.registry import Registry, Source, active, using


def golden(events: np.ndarray[Any, Any]) -> str:
    """The hash of the published decodes: columns t, x, y, p, one after the other."""
    columns = (events["t"].astype("<i8"), events["x"].astype("<i2"))
    columns += (events["y"].astype("<i2"), events["p"].astype("u1"))
    return hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()[:16]


def decode(data: bytes) -> np.ndarray[Any, Any]:
    return Bin40().read(BytesIO(data), name="a.bin")


byte = st.integers(0, 255)
event = st.tuples(st.integers(0, 2**23 - 1), byte, byte, st.integers(0, 1))


@settings(derandomize=True, deadline=None)
@given(st.lists(event, max_size=30))
def test_decoding_equals_the_layout_bit_by_bit(rows: list[tuple[int, int, int, int]]) -> None:
    data = b""
    expected: list[tuple[int, int, int, int]] = []
    lost = 0
    for t, x, y, p in rows:
        data += int(f"{x:08b}{y:08b}{p:b}{t:023b}", 2).to_bytes(5, "big")
        if y == 240:
            lost += 2**13
        else:
            expected.append((t + lost, x, y, p))
    assert decode(data).tolist() == expected


def test_markers_of_row_240_shift_later_times_and_are_dropped(
    encode40: Callable[..., bytes],
) -> None:
    data = encode40([8000, 0, 5, 0, 7], [1, 0, 2, 0, 3], [4, 240, 5, 240, 6], [0, 0, 1, 1, 1])
    assert decode(data).tolist() == [
        (8000, 1, 4, 0),
        (5 + 8192, 2, 5, 1),
        (7 + 2 * 8192, 3, 6, 1),
    ]


def test_an_empty_file_has_no_events() -> None:
    assert decode(b"").shape == (0,)
    assert decode(b"").dtype == EVENT


@pytest.mark.parametrize("size", [1, 2, 3, 4, 6, 12])
def test_a_cut_file_is_named_with_its_size(tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.bin"
    path.write_bytes(bytes(size))
    with pytest.raises(
        FormatError,
        match=rf"cut\.bin has {size} bytes, which is no multiple of 5: it is cut off after "
        rf"{size // 5} whole 40-bit events, or holds another format",
    ):
        read_events(path)


class Magic:
    """A third party's format, known by its first bytes."""

    extensions = (".bin",)
    magic = b"MAGIC"

    def __init__(self, offset_us: int = 0) -> None:
        self.offset_us = offset_us

    def read(self, file: Any, *, name: str) -> np.ndarray[Any, Any]:
        count = len(file.read()) - len(self.magic)
        zeros = np.zeros(count, np.int64)
        return make_events(t=zeros + self.offset_us, x=zeros, y=zeros, p=zeros)


class Twin(Bin40):
    """Another decoder of the same suffix."""


@pytest.fixture
def formats(request: pytest.FixtureRequest) -> Iterator[None]:
    """Registers, beside this plugin, formats of a plugin ``other``, as (name, target)."""

    @hookimpl
    def snn_components(register: Any) -> None:
        for name, target in request.param:
            register("format", name, target, summary="of a test")

    other = SimpleNamespace(API=1, snn_components=snn_components)
    mine = Source("snn-datasets", "0", lambda: importlib.import_module("snn_datasets._plugin"))
    with using(Registry([mine, Source("other", "1", lambda: other)])):
        yield


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    module = SimpleNamespace(Magic=Magic, Twin=Twin)
    monkeypatch.setitem(sys.modules, "other_formats", module)  # type: ignore[arg-type]


@pytest.mark.usefixtures("importable", "formats")
@pytest.mark.parametrize("formats", [[("magic", "other_formats:Magic")]], indirect=True)
def test_first_bytes_win_over_the_suffix_and_parameters_reach_the_decoder(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"MAGIC123")
    assert read_events(path)["t"].tolist() == [0, 0, 0]
    assert read_events(path, {"name": "magic", "offset_us": 4})["t"].tolist() == [4, 4, 4]
    path.write_bytes(bytes(5))
    assert len(read_events(path)) == 1


@pytest.mark.usefixtures("importable", "formats")
@pytest.mark.parametrize("formats", [[("twin", "other_formats:Twin")]], indirect=True)
def test_two_formats_that_fit_are_both_named(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(5))
    text = r"a\.bin fits snn-datasets/bin40 and other/twin; say which with format=\.\.\."
    with pytest.raises(FormatError, match=text):
        read_events(path)
    assert len(read_events(path, "other/twin")) == 1


@pytest.mark.usefixtures("formats")
@pytest.mark.parametrize("formats", [[("gone", "no_such_module:Gone")]], indirect=True)
def test_a_broken_format_stops_nobody_and_is_named_when_nothing_fits(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(5))
    assert len(read_events(path)) == 1
    other = tmp_path / "a.xyz"
    other.write_bytes(bytes(5))
    with pytest.raises(
        FormatError,
        match=r"a\.xyz fits no registered format "
        r"\(known: .*snn-datasets/bin40 \(\.bin \.bs2\).*\); "
        r"say which with format=\.\.\.; format other/gone cannot be loaded",
    ):
        read_events(other)


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(5))
    with pytest.raises(UnknownComponent, match="did you mean 'bin40'"):
        read_events(path, "bin4")


def test_the_plugin_is_installed() -> None:
    assert "snn-datasets" in {plugin.name for plugin in active().plugins if plugin.status == "ok"}
    names = {component.name for component in snncore.components("dataset")}
    assert {"digits", "mnist", "n_mnist"} <= names


def test_golden_decode_of_the_real_sample(shared: Path) -> None:
    events = read_events(shared / "nmnist" / "tonic_sample_nmnist.bin")
    assert len(events) == 4325
    assert golden(events) == "dea1c7c041959f56"
    assert events[0].tolist() == (654, 7, 15, 1)
    assert events[-1].tolist() == (311175, 21, 14, 1)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("file", "members", "count", "digest"),
    [
        ("Train.zip", 900, 3_712_168, "16b040ab7e914bb3"),
        ("Test.zip", 100, 385_596, "399cac1e33efd38b"),
    ],
)
def test_golden_decode_of_the_real_archives(
    shared: Path, file: str, members: int, count: int, digest: str
) -> None:
    with zipfile.ZipFile(shared / "nmnist" / file) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".bin"))
        recordings = [decode(archive.read(name)) for name in names]
    assert len(recordings) == members
    assert sum(map(len, recordings)) == count
    joined = "".join(golden(events) for events in recordings)
    assert hashlib.sha256(joined.encode("ascii")).hexdigest()[:16] == digest
    for events in recordings:
        cut = frames(events, size=(34, 34), T=300, by="time")
        assert cut.sum() == len(events)
