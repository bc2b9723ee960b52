"""Golden decodes of real recordings, from SNN_TEST_DATA."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import iter_events, read_boxes, read_events, sensor_size

# File, events, first 16 digits of the hash, first and last event, sensor where the file says it.
GOLDEN = [
    (
        "aedat2/davis240c_IMU_translBoxes.aedat",
        *(162771, "2991d42c873a483a", (294976755, 83, 36, 0), (297049406, 6, 40, 0), (240, 180)),
    ),
    (
        "aedat2/dvs128_alex_walking_again.aedat",
        *(19182, "28adcab29336b7e2", (41306606, 62, 118, 0), (48193156, 0, 22, 1), (128, 128)),
    ),
    (
        "aedat2/dvs128_alex_walking_for_10secs.aedat",
        *(125028, "2bb30bddffdbf9fd", (262847757, 11, 71, 0), (270891631, 82, 112, 1), (128, 128)),
    ),
    (
        "aedat2/dvs128_cam255_alex_standing_up2.aedat",
        *(295301, "57b3dcf1edfbc4c5", (184148526, 57, 59, 1), (214199365, 104, 90, 1), (128, 128)),
    ),
    (
        "aedat2/dvs128_cam255_neal_standing_up.aedat",
        *(209564, "b6d86e84b2d7df3c", (314384738, 55, 62, 1), (335182415, 76, 74, 1), (128, 128)),
    ),
    (
        # Mixed packets, invalid events, and times that pass 2^31 us.
        "aedat31/dvs128_walking_reencoded_tsoverflow.aedat",
        *(124856, "9b08f3e4897976b4"),
        *((2145544909, 11, 56, 0), (2153588783, 82, 15, 1), (128, 128)),
    ),
    (
        "dvsgesture_like/user01_natural.aedat",
        *(124856, "8edfe55ba8e40e75", (262847757, 11, 56, 0), (270891631, 82, 15, 1), (128, 128)),
    ),
    (
        "dvsgesture_like/user24_led.aedat",
        *(19139, "484e8087ab9ac78b", (41306606, 62, 9, 0), (48193156, 0, 105, 1), (128, 128)),
    ),
    (
        "dat/cd_reencoded_640x480.dat",
        *(150000, "793e0ac069ab816d", (1317888, 237, 121, 1), (1331470, 389, 139, 1), (640, 480)),
    ),
    (
        "dat/tonic_sample_ncars.dat",
        *(2009, "46329bef9cd1e18a", (0, 25, 8, 0), (99952, 75, 28, 1), None),
    ),
    (
        "evt2/expelliarmus_evt2_sample.raw",
        *(539481, "191b55337d65deee", (1317888, 237, 121, 1), (1367888, 210, 142, 1), None),
    ),
    (
        "evt3/expelliarmus_evt3_sample.raw",
        *(219596, "22f2aebe16606074", (11718656, 874, 200, 0), (11727457, 1218, 572, 1), None),
    ),
    (
        "nmnist/tonic_sample_nmnist.bin",
        *(4325, "dea1c7c041959f56", (654, 7, 15, 1), (311175, 21, 14, 1), None),
    ),
]


def golden(events: np.ndarray[Any, Any]) -> str:
    """The hash of the published decodes: columns t, x, y, p, one after the other."""
    columns = (events["t"].astype("<i8"), events["x"].astype("<i2"))
    columns += (events["y"].astype("<i2"), events["p"].astype("u1"))
    return hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()[:16]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("file", "count", "digest", "first", "last", "size"), GOLDEN, ids=[row[0] for row in GOLDEN]
)
def test_golden_decodes(
    shared: Path, file: str, count: int, digest: str, first: Any, last: Any, size: Any
) -> None:
    events = read_events(shared / file)
    assert len(events) == count
    assert golden(events) == digest
    assert events[0].tolist() == first
    assert events[-1].tolist() == last
    chunks = list(iter_events(shared / file, events=10_007))
    assert {len(chunk) for chunk in chunks[:-1]} <= {10_007}
    assert golden(np.concatenate(chunks)) == digest
    if size:
        assert sensor_size(shared / file) == size


@pytest.mark.usefixtures("way")
def test_evt3_equals_its_truth(shared: Path) -> None:
    name = "evt3/expelliarmus_evt3_sample"
    with np.load(shared / f"{name}_truth.npz") as truth:
        events = read_events(shared / f"{name}.raw")
        for field in "txyp":
            assert np.array_equal(events[field], truth[field]), field
    assert np.array_equal(read_events(shared / f"{name}_truth.npz"), events)


@pytest.mark.usefixtures("way")
def test_evt21_and_dat_hold_the_events_of_evt2(shared: Path) -> None:
    events = read_events(shared / "evt2/expelliarmus_evt2_sample.raw")[:150_000]
    assert np.array_equal(read_events(shared / "dat/cd_reencoded_640x480.dat"), events)
    vectors = read_events(shared / "evt2/evt21_reencoded.raw")
    assert np.array_equal(np.sort(vectors), np.sort(events))
    assert sensor_size(shared / "evt2/evt21_reencoded.raw") == (640, 480)


def test_dsec_holds_the_events_of_evt2(shared: Path) -> None:
    pytest.importorskip("h5py")
    pytest.importorskip("hdf5plugin")
    events = read_events(shared / "evt2/expelliarmus_evt2_sample.raw")[:150_000]
    assert np.array_equal(read_events(shared / "dsec_like/events.h5"), events)


def test_aedat4(shared: Path) -> None:
    pytest.importorskip("aedat")
    path = shared / "aedat4/tonic_sample.aedat4"
    events = read_events(path)
    assert len(events) == 111_954
    assert (events["t"][0], events["t"].max()) == (1605537493718345, 1605537494308262)
    assert sensor_size(path) == (320, 240)
    aedat = pytest.importorskip("aedat")
    others = [packet for packet in aedat.Decoder(str(path)) if "events" not in packet]
    assert len(others) == 59
    assert all("imus" in packet for packet in others)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("recording", "classes", "counts"),
    [
        ("user01_natural", [1, 2, 3, 8, 8, 11], [42045, 27261, 15073, 8769, 6757, 11753]),
        # The intervals of the second and third overlap.
        ("user24_led", [4, 5, 6], [13039, 3991, 1489]),
    ],
)
def test_cuts_of_gestures(
    shared: Path, recording: str, classes: list[int], counts: list[int]
) -> None:
    folder = shared / "dvsgesture_like"
    t = read_events(folder / f"{recording}.aedat")["t"]
    rows = np.loadtxt(folder / f"{recording}_labels.csv", np.int64, delimiter=",", skiprows=1)
    assert rows[:, 0].tolist() == classes
    cuts = [int(np.count_nonzero((t >= start) & (t < end))) for _, start, end in rows]
    assert cuts == counts


def test_a_header_without_events(shared: Path) -> None:
    path = shared / "aedat31/tonic_sample_aedat_header.aedat"
    assert len(read_events(path)) == 0
    assert sensor_size(path) == (346, 260)


def test_the_auditory_sensor(shared: Path) -> None:
    folder = shared / "nas_cochlea_aedat2"
    options = {"name": "aedat1", "chip": "channels", "ticks_per_us": 5}
    events = read_events(folder / "130Hz_mono_64ch_ONOFF_addr2b_ts02.aedat", options)
    assert len(events) == 331949
    assert (events["x"].max(), events["t"].min(), events["t"].max()) == (62, 0, 2483403 // 5)
    events = read_events(folder / "sound_mono_32ch_ONOFF_addr2b_ts02.aedat", options)
    assert len(events) == 49864
    assert (events["t"].min(), events["t"].max()) == (573010 // 5, 6296705 // 5)


def test_spoken_digits(shared: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = shared / "shd_like/fsdd_spikes_test.h5"
    with h5py.File(path) as h5:
        times, units = h5["spikes/times"][3], h5["spikes/units"][3]
        total = sum(map(len, h5["spikes/times"]))
    assert total == 1_135_144
    events = read_events(path, {"name": "shd", "sample": 3})
    # The grid of float16 at half a second is 0.5 ms: exact only after widening.
    assert events["t"].tolist() == [round(float(t) * 1e6) for t in times]
    assert events["x"].tolist() == units.tolist()
    assert sensor_size(path) == (700, 1)


@pytest.mark.parametrize(
    ("file", "format", "count", "span"),
    [
        ("asldvs_a_0001.mat", None, 8000, 149105),
        ("hardvs_action_001_sample.npz", None, 6000, 298401),
        ("dvslip_0.npy", None, 6000, 298401),
        ("bullying10k_sample.npy", None, 2000, 79018),
        ("navgesture_user_do_td.dat", None, 6000, 298401),
        ("tonic_dvsgesture_0.npy", {"name": "npy", "columns": "xypt", "unit": "ms"}, 6000, 298401),
    ],
)
def test_layouts_of_datasets(shared: Path, file: str, format: Any, count: int, span: int) -> None:
    events = read_events(shared / "layout_fixtures" / file, format)
    assert len(events) == count
    assert (events["t"][0], events["t"][-1]) == (0, span)
    assert set(events["p"].tolist()) == {0, 1}


def test_es_imagenet(shared: Path) -> None:
    path = shared / "layout_fixtures/esimagenet_ILSVRC2012_val_00000001.npz"
    with np.load(path) as stored:
        pos, neg = stored["pos"], stored["neg"]
    events = read_events(path)
    assert sorted(set(events["t"].tolist())) == list(range(1, 9))
    for p, side in ((1, pos), (0, neg)):
        mine = events[events["p"] == p]
        assert np.array_equal(np.stack([mine["y"], mine["x"], mine["t"]], axis=1), side)


def test_taxels(shared: Path) -> None:
    loadmat = pytest.importorskip("scipy.io").loadmat
    path = shared / "stmnist/tonic_sample_stmnist.mat"
    train = loadmat(path)["spiketrain"]
    events = read_events(path)
    assert len(events) == np.count_nonzero(train[:100]) == 2346
    first = int(np.flatnonzero(train[:100, 0])[0])
    assert events[0].tolist() == (round(train[100, 0] * 1e6), first % 10, first // 10, 0)
    assert sensor_size(path) == (10, 10)


def test_boxes(shared: Path) -> None:
    boxes = read_boxes(shared / "dat/cd_reencoded_640x480_bbox.npy")
    assert boxes.dtype.itemsize == 40
    assert len(boxes) == 5
