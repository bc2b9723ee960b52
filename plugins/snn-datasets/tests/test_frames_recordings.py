"""Frames of real recordings, from SNN_TEST_DATA: no event is lost."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import Frames, pack, read_events, to_voxel_grid
from snn_datasets.compiled import use
from snn_datasets.formats.bin40 import Bin40

RULES: list[dict[str, Any]] = [
    {"T": 300, "by": "time"},
    {"T": 10},
    {"duration_us": 1000},
    {"count": 100},
]


def samples(path: Path, step: int) -> Iterator[Any]:
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".bin"))
        for name in names[::step]:
            yield Bin40().read(io.BytesIO(archive.read(name)), name=name)


def conserved(path: Path, step: int, rule: dict[str, Any]) -> int:
    """Compares frames of numba and numpy with the summed image of each sample; how many."""
    integrate, number = Frames(**rule, dtype="uint16"), 0
    for events in samples(path, step):
        image = np.zeros((2, 34, 34), np.int64)
        np.add.at(image, (events["p"], events["y"], events["x"]), 1)
        result = integrate(events, (34, 34))
        np.testing.assert_array_equal(result.sum(0), image)
        with use(False):
            np.testing.assert_array_equal(integrate(pack(events), (34, 34)), result)
        number += 1
    return number


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_samples_of_n_mnist_keep_every_event(shared: Path, rule: dict[str, Any]) -> None:
    assert conserved(shared / "nmnist/Test.zip", 10, rule) == 10


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_all_samples_of_n_mnist_keep_every_event(shared: Path, rule: dict[str, Any]) -> None:
    assert conserved(shared / "nmnist/Train.zip", 1, rule) == 900
    assert conserved(shared / "nmnist/Test.zip", 1, rule) == 100


def test_what_another_library_loses_is_here(shared: Path) -> None:
    """Of these 19,182 events, 16 frames of equal time lost one there, 16 of equal number 14."""
    events = read_events(shared / "aedat2/dvs128_alex_walking_again.aedat")
    for by in ("time", "count"):
        for numba in (True, False):
            with use(numba):
                result = Frames(T=16, by=by)(events, (128, 128))  # type: ignore[arg-type]
                assert result.sum() == 19182


def test_bytes_stop_where_a_pixel_is_hot(shared: Path) -> None:
    events = read_events(shared / "evt2/expelliarmus_evt2_sample.raw")
    size = (640, 480)
    exact = Frames(T=4, dtype="uint16")(events, size)
    assert exact.sum() == len(events)
    assert exact.max() > 255
    np.testing.assert_array_equal(
        Frames(T=4, dtype="uint8")(events, size), np.minimum(exact, 255).astype(np.uint8)
    )


def test_a_voxel_grid_sums_to_the_difference_of_polarities(shared: Path) -> None:
    events = read_events(shared / "nmnist/tonic_sample_nmnist.bin")
    grid = to_voxel_grid(events, size=(34, 34), bins=5)
    assert grid.sum() == pytest.approx(2 * int(events["p"].sum()) - len(events), abs=1e-2)
