"""Packed events, whole batches, torch tensors and voxel grids: what `datasets.py` leaves out.

    python benchmarks/integration.py [--seconds 4] [--write]

Reads the recordings of N-MNIST that ``SNN_TEST_DATA`` names. All ways to the same frames must give
the same numbers before they are timed.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import Effort, turns
from numpy.typing import NDArray
from page import Page, add_effort, number, parser

from snn_datasets import NMNIST, Frames, VoxelGrid, compiled, frames_on_device, pack

SIZE = (34, 34)
BATCH = 64
Calls = Mapping[str, Callable[[], Any]]


def numpy_way(call: Callable[[], Any]) -> Callable[[], Any]:
    """The same without numba."""

    def run() -> Any:
        with compiled.use(False):
            return call()

    return run


def batch_rows(recordings: list[NDArray[Any]], effort: Effort) -> list[list[str]]:
    """Microseconds per sample of one batch at T=10, uint8, from arrays, words and tensors."""
    events = np.concatenate(recordings)
    words = np.concatenate([pack(recording) for recording in recordings])
    offsets = np.cumsum([0, *map(len, recordings)])
    pieces = [words[begin:end] for begin, end in itertools.pairwise(offsets.tolist())]
    tensor, rule = torch.from_numpy(words), Frames(T=10, dtype="uint8")
    calls = {
        "words, one by one": lambda: np.stack([rule(piece, SIZE) for piece in pieces], 1),
        "words, one call": lambda: rule.batch(words, offsets, SIZE),
        "arrays, one call": lambda: rule.batch(events, offsets, SIZE),
        "words, one call, numpy": numpy_way(lambda: rule.batch(words, offsets, SIZE)),
        "tensor": lambda: frames_on_device(tensor, offsets, size=SIZE, integrate=rule).numpy(),
    }
    return rows(calls, len(recordings), "us per sample", effort)


def sample_rows(recordings: list[NDArray[Any]], effort: Effort) -> list[list[str]]:
    """Microseconds per sample at T=10 of packed events, one call for each."""
    words = [pack(recording) for recording in recordings]

    def cut(dtype: Any) -> Callable[[], Any]:
        rule = Frames(T=10, dtype=dtype)
        return lambda: [rule(part, SIZE) for part in words]

    calls = {dtype: cut(dtype) for dtype in ("uint8", "float32")}
    return rows(calls, len(recordings), "us per sample", effort, alike=False)


def voxel_rows(recordings: list[NDArray[Any]], effort: Effort) -> list[list[str]]:
    """Microseconds per sample of a voxel grid of 10 bins."""
    grid = VoxelGrid(10)
    calls: dict[str, Callable[[], Any]] = {
        "voxel grid": lambda: [grid(recording, SIZE) for recording in recordings]
    }
    if importlib.util.find_spec("tonic"):
        functional = importlib.import_module("tonic.functional")
        kinds = [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "i1")]
        signed = [recording.astype(kinds) for recording in recordings]

        def other() -> Any:
            # it writes into the polarities: each call needs a copy
            return [functional.to_voxel_grid_numpy(part.copy(), (*SIZE, 2), 10) for part in signed]

        calls["tonic"] = other
    return rows(calls, len(recordings), "us per sample", effort, alike=False)


def rows(
    calls: Calls, divisor: int, unit: str, effort: Effort, *, alike: bool = True
) -> list[list[str]]:
    """A head, and a row for each call; those that are ``alike`` must give equal arrays."""
    results = [call() for call in calls.values()]
    for name, result in zip(calls, results, strict=True):
        if alike and not np.array_equal(result, results[0]):
            sys.exit(f"{name} gives other numbers")
    times = turns(calls, effort)
    return [["way", unit], *([name, number(ms * 1e3 / divisor)] for name, ms in times.items())]


def main() -> None:
    made = parser(__doc__)
    add_effort(made)
    options = made.parse_args()
    folder = os.environ.get("SNN_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        print("SNN_TEST_DATA names no folder of real recordings: nothing to measure")
        return
    torch.set_num_threads(options.threads)
    effort = Effort(options.repeats, options.seconds, options.threads)
    dataset = NMNIST(Path(folder, "nmnist"), split="test")
    recordings = [dataset.events(i) for i in range(BATCH)]
    page = Page("integration", "Packed events, batches and voxel grids")
    for title, table in (
        (f"A batch of {BATCH} samples", batch_rows),
        ("One sample", sample_rows),
        ("Voxel grids", voxel_rows),
    ):
        page.add(title, table.__doc__ or "", table(recordings, effort))
    page.publish(effort, options)


if __name__ == "__main__":
    main()
