"""HDF5 files: which recording is read, and damaged ones that promise more than they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import FormatError, read_events, sensor_size

h5py = pytest.importorskip("h5py")


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A file laid out as N-TIDIGITS18, with three recordings."""
    path = tmp_path / "n-tidigits.hdf5"
    with h5py.File(path, "w") as h5:
        h5["train_labels"] = np.array([b"man-ab-a-3", b"woman-cd-b-zo1"])
        h5["test_labels"] = np.array([b"man-ef-a-o"])
        for split, name, start in (
            ("train", "man-ab-a-3", 0.25),
            ("train", "woman-cd-b-zo1", 0.5),
            ("test", "man-ef-a-o", 0.75),
        ):
            h5[f"{split}_timestamps/{name}"] = np.array([start, start + 1e-6])
            h5[f"{split}_addresses/{name}"] = np.array([63, 0])
    return path


def ntidigits(**params: Any) -> dict[str, Any]:
    return {"name": "ntidigits", **params}


def test_recordings_are_chosen_by_number_and_split(digits: Path) -> None:
    expected = [(250_000, 63, 0, 0), (250_001, 0, 0, 0)]
    assert read_events(digits, ntidigits(sample=0)).tolist() == expected
    assert read_events(digits, ntidigits(sample=1))["t"].tolist() == [500_000, 500_001]
    assert read_events(digits, ntidigits(split="test"))["t"].tolist() == [750_000, 750_001]
    assert sensor_size(digits) == (64, 1)


def test_a_recording_must_be_named_and_be_there(digits: Path) -> None:
    text = r'holds 2 recordings: say which, as in {"name": "ntidigits", "split": "train", "sample"'
    with pytest.raises(FormatError, match=text):
        read_events(digits)
    with pytest.raises(FormatError, match=r"holds 2 recordings; sample 2 is none of them: say whi"):
        read_events(digits, ntidigits(sample=2))


def test_parts_that_are_missing_or_no_columns_are_named(digits: Path) -> None:
    with h5py.File(digits, "a") as h5:
        del h5["train_addresses/man-ab-a-3"]
        h5["train_addresses/man-ab-a-3"] = np.zeros((2, 2))
        del h5["train_timestamps/woman-cd-b-zo1"]
    text = r"train_addresses/man-ab-a-3 has the shape \(2, 2\), expected is a dataset of one dimen"
    with pytest.raises(FormatError, match=text):
        read_events(digits, ntidigits(sample=0))
    with pytest.raises(FormatError, match="train_timestamps/woman-cd-b-zo1 is missing, expected"):
        read_events(digits, ntidigits(sample=1))


def test_channels_beyond_the_cochlea_and_lengths_that_differ(digits: Path) -> None:
    with h5py.File(digits, "a") as h5:
        h5["train_addresses/man-ab-a-3"][1] = 64
        del h5["test_addresses/man-ef-a-o"]
        h5["test_addresses/man-ef-a-o"] = np.zeros(3)
    with pytest.raises(
        FormatError, match="train sample 0: event 1 has x=64, y=0, which is off its"
    ):
        read_events(digits, ntidigits(sample=0))
    with pytest.raises(FormatError, match="test sample 0: 2 times for 3 channels"):
        read_events(digits, ntidigits(split="test"))


@pytest.mark.parametrize("name", ["dsec", "shd", "ntidigits"])
def test_a_promise_of_endless_values_is_an_error(tmp_path: Path, name: str) -> None:
    """Such a length would be read as zeros, for days or until the memory is full."""
    path = tmp_path / "a.h5"
    columns = {
        "dsec": [f"events/{field}" for field in "txyp"],
        "shd": ["spikes/times", "spikes/units"],
        "ntidigits": ["train_timestamps/a", "train_addresses/a"],
    }[name]
    with h5py.File(path, "w") as h5:
        h5["t_offset"] = 0
        h5["train_labels"] = np.array([b"a"])
        for column in columns:
            h5.create_dataset(column, (1 << 40,), "u4", chunks=(1 << 16,))
    text = rf"{columns[0]} promises 1099511627776 values, but the file holds 0: it is cut off or d"
    with pytest.raises(FormatError, match=text):
        read_events(path, {"name": name, "sample": 0} if name != "dsec" else name)
