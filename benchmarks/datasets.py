"""Recorded events: decoding, frames, and cached items, beside tonic and SpikingJelly.

    python benchmarks/datasets.py [--seconds 4] [--write]

Reads the recordings that ``SNN_TEST_DATA`` names. Each contender runs for a while right before it
is timed, so that the processor's caches hold its own data, as they do in a loop over a dataset.
Before anything is timed, all that cut the same frames must have given the same numbers; tonic
leaves out the last event and the rest of a division, and is compared without them.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import event_peers as peers
import numpy as np
import torch
from measure import Effort, turns
from numpy.typing import NDArray
from page import Page, add_effort, number, parser

import snn_datasets
from snn_datasets import compiled

Calls = Mapping[str, Callable[[], Any]]

# Arrays of tens of megabytes take many calls to settle in the last cache.
SETTLE = 0.2
RECORDINGS = {
    "DVS128": ("aedat2/dvs128_cam255_alex_standing_up2.aedat", (128, 128)),
    "Gen3": ("evt2/expelliarmus_evt2_sample.raw", (640, 480)),
}
RULES: dict[str, dict[str, Any]] = {
    "T=16 by count": {"T": 16, "by": "count", "duration_us": None},
    "T=16 by time": {"T": 16, "by": "time", "duration_us": None},
    "50 slices by duration": {"T": None, "by": "count", "duration_us": 0},
}
PEERS = ("tonic", "spikingjelly")


def numpy_way(call: Callable[[], Any]) -> Callable[[], Any]:
    """The same without numba."""

    def run() -> Any:
        with compiled.use(False):
            return call()

    return run


def row(name: str, calls: Calls, events: int, effort: Effort, ours: str) -> list[str]:
    """Million events per second of each, and how many times as fast ours is as the peers."""
    times = turns(calls, effort, settle=SETTLE)
    speeds = {who: events / ms / 1e3 for who, ms in times.items()}
    cells = [f"{number(speed)}" for speed in speeds.values()]
    against = [f"{speeds[ours] / speeds[peer]:.1f}" if peer in speeds else "" for peer in PEERS]
    return [name, f"{events:,}", *cells, *against]


def frames_section(page: Page, data: Path, effort: Effort) -> None:
    """Events to frames."""
    rows: list[list[str]] = []
    for title, (file, size) in RECORDINGS.items():
        events = snn_datasets.read_events(data / file)
        for rule, settings in RULES.items():
            how = dict(settings)
            if how["duration_us"] is not None:
                how["duration_us"] = int(events["t"][-1] - events["t"][0]) // 50
            calls = frame_calls(events, size, how)
            agree(events, size, how)
            rows.append(row(f"{title} {rule}", calls, events.size, effort, "numba uint8"))
    head = ["frames", "events", *calls, "ours/tonic", "ours/spikingjelly"]
    words = (
        "Million events per second, from the array that a reader gives. The last columns compare "
        "`dtype='uint8'` with numba; a default of this library is float32."
    )
    page.add("Frames", words, [head, *rows])


def frame_calls(events: NDArray[Any], size: tuple[int, int], how: dict[str, Any]) -> Calls:
    def ours(dtype: str) -> Callable[[], Any]:
        return lambda: snn_datasets.frames(events, size=size, dtype=dtype, **how)

    return {
        "numba uint8": ours("uint8"),
        "numba float32": ours("float32"),
        "numpy float32": numpy_way(ours("float32")),
        "tonic": peers.tonic_frames(events, size, **how),
        "spikingjelly": peers.spikingjelly_frames(events, size, **how),
    }


def agree(events: NDArray[Any], size: tuple[int, int], how: dict[str, Any]) -> None:
    """Ends the benchmark where frames differ that should not."""
    calls = frame_calls(events, size, how)
    expected = calls["numba float32"]()
    for name in ("numpy float32", "spikingjelly"):
        got = np.asarray(calls[name]())
        if got.shape != expected.shape or not np.array_equal(got, expected):
            sys.exit(f"{name} gives other frames for {how}")
    if not np.array_equal(calls["numba uint8"](), np.minimum(expected, 255)):
        sys.exit(f"uint8 frames differ for {how}")
    lost = expected.sum() - float(calls["tonic"]().sum())
    # What it leaves out by design: the end of the time, the rest of a division.
    if not 0 <= lost <= 0.05 * events.size:
        sys.exit(f"tonic's frames miss {lost:g} of {events.size} events for {how}")


def decoding_section(page: Page, data: Path, effort: Effort) -> None:
    """Files to events."""
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        source = snn_datasets.read_events(data / RECORDINGS["Gen3"][0])
        small = source.copy()
        small["x"] %= 240
        small["y"] %= 180
        small["t"] -= small["t"][0]
        made = {
            "bin40": ("a.bin", small),
            "evt2": ("a.raw", source),
            "dat": ("a.dat", source),
            "evt3": ("b.raw", source),
            "aedat31": ("a.aedat", small),
        }
        chips = {"aedat31": {"chip": "DAVIS240C"}}
        for name, (file, events) in made.items():
            spec = {"name": name, **chips.get(name, {})}
            path = snn_datasets.write_events(Path(folder, file), events, spec)

            def read(path: Path = path, spec: dict[str, Any] = spec) -> Any:
                return snn_datasets.read_events(path, spec)

            if not all(np.array_equal(way(), events) for way in (read, numpy_way(read))):
                sys.exit(f"{name} does not come back as it was written")
            calls: dict[str, Callable[[], Any]] = {"numba": read, "numpy": numpy_way(read)}
            other = peers.tonic_decoder(name, path)
            if other is not None:
                calls["tonic"] = other
            cells = row(name, calls, events.size, effort, "numpy")
            rows.append([*cells[:4], *(["", ""] if other is None else [cells[4], cells[5]])])
    head = ["format", "events", "numba", "numpy", "tonic", "numpy/tonic"]
    words = (
        f"Million events per second of files with {source.size:,} real events, written by this "
        "library, from the page cache to the finished array."
    )
    page.add("Decoding", words, [head, *rows])


def cache_section(page: Page, data: Path, effort: Effort) -> None:
    """One item of N-MNIST at T=10."""
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = Path(folder, "n_mnist")
        shutil.copytree(data / "nmnist", root)
        raw = snn_datasets.NMNIST(root, split="test", T=10)
        items = range(len(raw))
        plain = [raw[i][0] for i in items]
        tonic_items = peers.tonic_cache(
            [(raw.events(i), int(raw.targets[i])) for i in items], (34, 34), Path(folder, "tonic")
        )
        jelly_items = peers.spikingjelly_cache(
            [raw.events(i) for i in items], (34, 34), Path(folder, "spikingjelly")
        )
        raw.prepare(progress=False)
        cached = snn_datasets.NMNIST(root, split="test", T=10)
        for i in items:
            if not torch.equal(cached[i][0], plain[i]):
                sys.exit(f"item {i} of the cache differs")
            if not np.array_equal(jelly_items(i), plain[i].numpy()):
                sys.exit(f"item {i} of SpikingJelly's cache differs")

        def every(get: Callable[[int], Any]) -> Callable[[], Any]:
            def run() -> None:
                for i in items:  # each is dropped before the next, as after a batch is made
                    get(i)

            return run

        calls = {
            "cache, events to x": every(cached.load),
            "cache, with numpy": numpy_way(every(cached.load)),
            "published zip": every(uncached(raw)),
            "tonic": every(tonic_items),
            "spikingjelly": every(jelly_items),
        }
        times = turns(calls, effort, settle=SETTLE)
        each = {name: ms * 1e3 / len(raw) for name, ms in times.items()}
        ours = each["cache, events to x"]
        for name, us in each.items():
            rows.append([name, number(us), f"{us / ours:.1f}"])
    words = (
        "Microseconds per item of the 100 real test recordings, `x` of `[10, 2, 34, 34]`. Ours "
        "cuts frames of cached events; tonic's DiskCachedDataset and SpikingJelly's npz files hold "
        "finished frames, of the same settings."
    )
    page.add("Cached items", words, [["from", "us per item", "times ours"], *rows])


def uncached(dataset: Any) -> Callable[[int], Any]:
    """Items decoded from the published file each time."""
    frames = snn_datasets.frames
    return lambda i: frames(dataset.decode(i), size=(34, 34), T=10)


def main() -> None:
    made = parser(__doc__)
    add_effort(made)
    options = made.parse_args()
    folder = os.environ.get("SNN_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        print("SNN_TEST_DATA names no folder of real recordings: nothing to measure")
        return
    data = Path(folder)
    for module in ("tonic", "numba"):
        importlib.import_module(module)
    torch.set_num_threads(options.threads)
    effort = Effort(options.repeats, options.seconds, options.threads)
    page = Page("datasets", "Recorded events beside other libraries")
    page.notes.append(f"each contender runs for {SETTLE} s, untimed, right before it is timed")
    frames_section(page, data, effort)
    decoding_section(page, data, effort)
    cache_section(page, data, effort)
    page.publish(effort, options)


if __name__ == "__main__":
    main()
