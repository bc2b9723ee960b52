from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snncore.cli.failure import CommandFailed, WrongUsage
from snncore.cli.samples import RANDOM, check_alone, item_shape, random_spikes, read, running
from snncore.errors import ChipError

_TYPES = ("?", "i1", "u1", "<i2", ">i4", "<i8", "<f2", ">f4", "<f8")


@given(
    st.sampled_from(_TYPES),
    st.lists(st.integers(1, 4), min_size=3, max_size=6),
    st.sampled_from(["C", "F"]),
)
def test_arrays_of_numbers_become_float32(dtype: str, shape: list[int], order: str) -> None:
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype, order=order)
    with TemporaryDirectory() as folder:
        path = Path(folder, "x.npy")
        np.save(path, array)
        found = read(path)
    assert found.dtype == torch.float32
    assert found.shape == tuple(shape)
    assert found.tolist() == array.astype(float).tolist()


@pytest.mark.parametrize("dtype", ["c8", "<M8[s]", "V3"])
def test_other_arrays_are_refused(dtype: str, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 1, 1), dtype))
    with pytest.raises(CommandFailed, match=r"x\.npy holds .*, expected are numbers"):
        read(tmp_path / "x.npy")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).random((9, 9, 9)))
    whole = path.read_bytes()
    for place in range(60, len(whole), len(whole) // 9):
        path.write_bytes(whole[:place] + b"\xff\xff\xff" + whole[place + 3 :])
        with pytest.raises(CommandFailed, match=r"x\.npz (cannot be read|holds)"):
            read(path)


def test_random_spikes() -> None:
    x = random_spikes([3], steps=None, batch=None, rate=None, seed=None)
    assert x.shape == (RANDOM["steps"], RANDOM["batch"], 3)
    assert torch.equal(x, random_spikes([3], seed=RANDOM["seed"]))
    assert not torch.equal(x, random_spikes([3], seed=1))
    # 0 is a choice, not the absence of one.
    assert not random_spikes([3], rate=0.0).any()


def test_options_of_random_spikes_stand_alone() -> None:
    check_alone(steps=None, seed=None)
    with pytest.raises(WrongUsage, match=r"^--rate, --seed would say how random spikes are drawn"):
        check_alone(steps=None, rate=0.0, seed=0)


@pytest.mark.parametrize("word", ["", "2,", "2,-1", "0", "2x3", "2.0"])
def test_words_that_are_no_shape(word: str) -> None:
    with pytest.raises(WrongUsage, match=f"--shape takes sizes of one item, .*; got {word!r}"):
        item_shape(word, [3], "this network")


def test_errors_that_say_enough_stay_as_they_are() -> None:
    with pytest.raises(ChipError, match=r"^no$"), running("net", [2]):
        raise ChipError("no")
    with (
        pytest.raises(CommandFailed, match=r"^net does not run on an input \[2\]: 3; say --shape$"),
        running("net", [2]),
    ):
        raise IndexError(3)
