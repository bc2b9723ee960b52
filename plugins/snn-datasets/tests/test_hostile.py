"""Damaged, swapped and lying files of every format: an error that names the file, or events."""

from __future__ import annotations

import gzip
import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snncore
from snn_datasets import EVENT, FormatError, compiled, make_events
from snncore.testing.format import damaged

COUNT = 40
RANDOM = np.random.default_rng(8)
EVENTS = make_events(
    t=np.sort(RANDOM.integers(0, 900_000, COUNT)),
    x=RANDOM.integers(0, 60, COUNT),
    y=RANDOM.integers(0, 60, COUNT),
    p=RANDOM.integers(0, 2, COUNT),
)


def hdf5(columns: dict[str, Any]) -> bytes:
    h5py = pytest.importorskip("h5py")
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        for path, values in columns.items():
            h5[path] = values
    return file.getvalue()


def shd() -> bytes:
    h5py = pytest.importorskip("h5py")
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        for path, column in (("times", EVENTS["t"] / 1e6), ("units", EVENTS["x"])):
            kind = np.float16 if path == "times" else np.uint16
            made = h5.create_dataset(f"spikes/{path}", 1, dtype=h5py.vlen_dtype(kind))
            made[0] = column.astype(kind)
    return file.getvalue()


def ntidigits() -> bytes:
    return hdf5(
        {
            "train_labels": np.array([b"a-1"]),
            "train_timestamps/a-1": EVENTS["t"] / 1e6,
            "train_addresses/a-1": EVENTS["x"],
        }
    )


def dsec() -> bytes:
    columns = {f"events/{field}": EVENTS[field].astype("u4") for field in "txyp"}
    return hdf5({"t_offset": 5, **columns})


def mat() -> bytes:
    file = io.BytesIO()
    columns = {"ts": "t", "x": "x", "y": "y", "pol": "p"}
    pytest.importorskip("scipy.io").savemat(
        file, {name: EVENTS[field].astype(float)[:, None] for name, field in columns.items()}
    )
    return b"MATLAB 5.0 MAT-file".ljust(116) + file.getvalue()[116:]


def aedat(version: int) -> bytes:
    words = [(y << 8 | x << 1 | p, t) for t, x, y, p in EVENTS.tolist()]
    header = f"#!AER-DAT{version}.0\r\n# AEChip: DVS128\r\n".encode()
    layout = ">HI" if version == 1 else ">II"
    return header + b"".join(struct.pack(layout, *word) for word in words)


def written(name: str) -> bytes:
    file = io.BytesIO()
    decoder: Any = snncore.build("format", name)
    decoder.write(file, EVENTS, name="a")
    return file.getvalue()


EXAMPLES: dict[str, Callable[[], bytes]] = {
    **{
        name: lambda name=name: written(name)
        for name in ("bin40", "aedat31", "dat", "evt2", "evt21", "evt3", "npz", "npy", "csv")
    },
    "shd": shd,
    "ntidigits": ntidigits,
    "dsec": dsec,
    "mat": mat,
    "aedat1": lambda: aedat(1),
    "aedat2": lambda: aedat(2),
}


@cache
def example(name: str) -> bytes:
    return EXAMPLES[name]()


def attempt(name: str, data: bytes) -> int:
    """How many events are read; -1 after an error that names the file."""
    decoder: Any = snncore.build("format", name)
    try:
        events = decoder.read(io.BytesIO(data), name="the hostile file")
    except FormatError as error:
        if "the hostile file" not in str(error):
            raise
        return -1
    assert events.dtype == EVENT
    assert events["p"].max(initial=0) <= 1
    assert min(events["x"].min(initial=0), events["y"].min(initial=0)) >= 0
    return len(events)


def test_every_format_has_an_example() -> None:
    """AEDAT 4 alone cannot be made here; its kit and the slow test take a recording."""
    names = {
        component.name
        for component in snncore.components("format")
        if component.qualified.startswith("snn-datasets/")
    }
    assert names == {*EXAMPLES, "aedat4"}


# Asked for by name, these read files without a header, so that any bytes may be theirs; but not
# what begins with a header of their kind, and says that it is of another format.
HEADERLESS = {"dat": b"%", "evt2": b"%", "evt21": b"%", "evt3": b"%", "aedat1": b"#", "bin40": b"?"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_swapped_files(name: str, way: str) -> None:
    """Every format tries the files of every other."""
    for other in EXAMPLES:
        data = example(other)
        found = attempt(name, data)
        if name == other:
            assert found == COUNT
        elif data.startswith(HEADERLESS.get(name, b"")):
            assert found == -1, f"a file of {other}"


@pytest.mark.parametrize("name", EXAMPLES)
def test_other_things_by_the_name_of_a_recording(name: str) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a.bin", example("bin40"))
    page = b"<!DOCTYPE html><html><body>Sign in to download</body></html>\n" * 40
    for data in (b"", page, archive.getvalue(), gzip.compress(page, mtime=0), b"%" * 9000):
        assert attempt(name, data) <= len(data)


def lies() -> dict[str, tuple[str, bytes]]:
    """Small files that promise a great deal."""
    header = b"#!AER-DAT3.1\r\n#!END-HEADER\r\n"
    packet = struct.pack("<hhiiiiii", 1, 1, 8, 4, 0, (1 << 31) - 1, (1 << 31) - 1, 0)
    npy = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        npy, {"descr": EVENT.descr, "fortran_order": False, "shape": (1 << 40,)}
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for field in "txyp":
            archive.writestr(f"{field}.npy", npy.getvalue())
    return {
        "a packet of 2^31 events": ("aedat31", header + packet + bytes(64)),
        "an array of 2^40 events": ("npy", npy.getvalue()),
        "an archive of such arrays": ("npz", packed.getvalue()),
        "a line without an end": ("csv", b"t,x,y,p\n" + b"1," * 400_000),
        "a header without an end": ("evt3", b"% evt 3.0 " + b"a" * 900_000),
        "a sensor of 99999 pixels": ("evt2", b"% evt 2.0\n% geometry 99999x99999\n" + bytes(4)),
    }


@pytest.mark.parametrize("lie", lies())
def test_memory_is_bounded_by_the_file(lie: str) -> None:
    name, data = lies()[lie]
    attempt(name, data)
    tracemalloc.start()
    try:
        attempt(name, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60 * len(data) + (8 << 20), f"{peak} bytes for a file of {len(data)}"


RECORDINGS = {
    "bin40": "nmnist/tonic_sample_nmnist.bin",
    "aedat2": "aedat2/davis240c_IMU_translBoxes.aedat",
    "aedat31": "aedat31/dvs128_walking_reencoded_tsoverflow.aedat",
    "aedat4": "aedat4/tonic_sample.aedat4",
    "dat": "dat/tonic_sample_ncars.dat",
    "evt2": "evt2/expelliarmus_evt2_sample.raw",
    "evt21": "evt2/evt21_reencoded.raw",
    "evt3": "evt3/expelliarmus_evt3_sample.raw",
    "dsec": "dsec_like/events.h5",
    "mat": "layout_fixtures/asldvs_a_0001.mat",
    "npz": "layout_fixtures/hardvs_action_001_sample.npz",
    "npy": "layout_fixtures/bullying10k_sample.npy",
    "aedat1": "nas_cochlea_aedat2/sound_mono_32ch_ONOFF_addr2b_ts02.aedat",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDINGS)
def test_damaged_recordings(name: str, shared: Path) -> None:
    """Real recordings, damaged in 200 ways, give the same events or errors both ways."""
    pytest.importorskip("numba")
    data = (shared / RECORDINGS[name]).read_bytes()
    for _, copy in damaged(data):
        with compiled.use(True):
            one = attempt(name, copy)
        if name in ("bin40", "aedat2", "aedat31", "dat", "evt2", "evt21", "evt3"):
            with compiled.use(False):
                assert attempt(name, copy) == one
