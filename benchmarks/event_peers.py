"""What other libraries do with recorded events: frames, decoding, caches on disk."""

from __future__ import annotations

import importlib
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Events = NDArray[Any]
Frames = NDArray[Any]


def spikingjelly() -> Any:
    """``spikingjelly.datasets.utils`` without the datasets beside it, which ask for torchaudio.

    A torchvision that was built for CUDA imports beside a torch of the CPU once the operators that
    it registers meanwhile are declared.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
    package = importlib.import_module("spikingjelly")
    name = "spikingjelly.datasets"
    if name not in sys.modules:
        bare = types.ModuleType(name)
        bare.__path__ = [os.path.join(os.path.dirname(package.__file__ or ""), "datasets")]
        sys.modules[name] = bare
    return importlib.import_module(f"{name}.utils")


def spikingjelly_frames(
    events: Events, size: tuple[int, int], T: int | None, by: str, duration_us: int | None
) -> Callable[[], Frames]:
    utils = spikingjelly()
    columns = {name: np.ascontiguousarray(events[name]) for name in "txyp"}
    width, height = size
    if duration_us is not None:
        return lambda: utils.integrate_events_by_fixed_duration(columns, duration_us, height, width)
    split = "number" if by == "count" else "time"
    return lambda: utils.integrate_events_by_fixed_frames_number(columns, split, T, height, width)


def tonic_frames(
    events: Events, size: tuple[int, int], T: int | None, by: str, duration_us: int | None
) -> Callable[[], Frames]:
    transforms = importlib.import_module("tonic.transforms")
    fields = [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")]
    own = np.empty(events.shape, fields)
    for name in "txyp":
        own[name] = events[name]
    if duration_us is not None:
        how = {"time_window": duration_us}
    elif by == "time":
        how = {"n_time_bins": T}
    else:
        how = {"n_event_bins": T}
    convert = transforms.ToFrame(sensor_size=(*size, 2), **how)
    return lambda: convert(own)


def tonic_decoder(kind: str, path: Path) -> Callable[[], Any] | None:
    """How tonic reads a file; None where it does not."""
    if kind != "bin40":
        return None
    io = importlib.import_module("tonic.io")
    return lambda: io.read_mnist_file(str(path), dtype=io.events_struct)


def tonic_cache(
    items: list[tuple[Events, int]], size: tuple[int, int], folder: Path
) -> Callable[[int], Frames]:
    """Frames of T = 10 by count, as tonic keeps them on disk."""
    tonic = importlib.import_module("tonic")
    made = [(tonic_frames(events, size, 10, "count", None)(), label) for events, label in items]
    cached = tonic.DiskCachedDataset(made, cache_path=str(folder))
    for i in range(len(items)):
        cached[i]
    return lambda i: cached[i][0]


def spikingjelly_cache(
    items: list[Events], size: tuple[int, int], folder: Path
) -> Callable[[int], Frames]:
    """Frames of T = 10 by count, as SpikingJelly keeps and loads them."""
    utils = spikingjelly()
    folder.mkdir()
    for i, events in enumerate(items):
        frames = spikingjelly_frames(events, size, 10, "count", None)()
        utils.np_savez(folder / f"{i}.npz", frames=frames)
    return lambda i: utils.load_npz_frames(folder / f"{i}.npz")
