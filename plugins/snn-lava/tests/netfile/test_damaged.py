"""Damaged files: an error that names the file, or the same network. Never anything else."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from snn_lava.netfile import read, write
from snn_lava.program import Conv, Dense, Flatten, Program
from snncore.chip import digest
from snncore.errors import ChipError

COUNT = 200


def damaged(data: bytes, seed: int) -> bytes:
    """Flipped bits, a file cut off, a block of zeros or ones, or two blocks swapped."""
    rng, found = random.Random(seed), bytearray(data)
    at = rng.randrange(len(found))
    match seed % 5:
        case 0:
            for _ in range(rng.choice([1, 2, 8, 64])):
                found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
        case 1:
            del found[at:]
        case 2:
            size = len(found[at : at + rng.choice([4, 16, 512, 4096])])
            found[at : at + size] = bytes(size)
        case 3:
            size = len(found[at : at + rng.choice([1, 4, 8])])
            found[at : at + size] = b"\xff" * size
        case _:
            at, other = rng.randrange(len(found) - 64), rng.randrange(len(found) - 64)
            block, found[at : at + 64] = found[at : at + 64], found[other : other + 64]
            found[other : other + 64] = block
    return bytes(found)


def outcome(path: Path) -> str:
    """The digest of what is read, or nothing after an error that names the file."""
    try:
        return digest(read(path).content())
    except ChipError as error:
        if not str(error).startswith(f"{path}: "):
            raise
        return ""


def test_files_of_this_package(tmp_path, neurons):
    weight = np.arange(-60, 60, 2).astype(np.int16)
    conv = Conv("net.1", weight[:16].reshape(4, 1, 2, 2), neurons(bias=np.arange(4)), groups=2)
    dense = Dense("net.2", weight[:48].reshape(3, 16), neurons(), weight[:9].reshape(3, 3))
    program = Program("loihi1", (2, 3, 3), (conv, Flatten(), dense))
    path = tmp_path / "a.net"
    write(program, path)
    data, same = path.read_bytes(), digest(program.content())
    found = []
    for seed in range(COUNT):
        path.write_bytes(damaged(data, seed))
        found.append(outcome(path))
    assert set(found) == {"", same}
    assert found.count("") > COUNT // 2


def test_files_of_slayer(lay):
    """They hold no SHA-256: a weight may be another, but is a weight."""
    path = lay()
    data, refused = path.read_bytes(), 0
    for seed in range(COUNT // 2):
        path.write_bytes(damaged(data, seed))
        refused += outcome(path) == ""
    assert refused > COUNT // 4


def test_swapped_files(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.arange(9))
    np.save(tmp_path / "a.npy", np.arange(9))
    (tmp_path / "a.txt").write_text("layer/0/type = dense\n" * 9)
    (tmp_path / "a.bin").write_bytes(random.Random(0).randbytes(5000))
    (tmp_path / "a.net").write_bytes(b"")
    for path in sorted(tmp_path.iterdir()):
        assert outcome(path) == "", path.name


@pytest.mark.slow
def test_many_more(lay):
    path = lay()
    data = path.read_bytes()
    for seed in range(COUNT, 20 * COUNT):
        path.write_bytes(damaged(data, seed))
        outcome(path)
