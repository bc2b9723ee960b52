"""Times of contenders that take turns, beside a copy of the same memory, and peaks of memory.

Every cell of a table is measured in a fresh process (:func:`in_child`), so that no heap that
another shape has grown helps or hinders.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peers import Layer
from torch import Tensor

from snncore.kernels import pool

MODES = ("forward", "forward+backward")
COPY = "copy"
# malloc keeps every page that it has once been given: what is left is the work itself.
TUNED = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(64 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
}
FEWEST = 3
Call = Callable[[], object]


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Args:
        repeats: rounds of every contender, at most.
        seconds: no further round after these, once there are three.
        threads: of torch; with one, the CPU time of the process counts, else the wall's.
    """

    repeats: int
    seconds: float
    threads: int

    def clock(self) -> float:
        return time.process_time() if self.threads == 1 else time.perf_counter()


def job(layer: Layer, mode: str, x: Tensor, grad: Tensor) -> Call:
    """One call whose outputs die with it."""
    if mode == MODES[0]:

        def forward() -> None:
            with torch.no_grad():
                layer.call(x)

        return forward
    # A second tensor on the same memory: it alone wants a gradient.
    leaf = x.detach().requires_grad_()

    def both() -> None:
        for tensor in (leaf, *layer.learned):
            tensor.grad = None
        layer.call(leaf).backward(grad)

    return both


def turns(calls: Mapping[str, Call], effort: Effort, settle: float = 0.0) -> dict[str, float]:
    """Median milliseconds of every call, taken in turns (A B C A B C).

    Args:
        calls: by name.
        effort: how long to measure.
        settle: seconds of untimed calls right before each timed one, so that none meets the
            caches that another has filled.
    """
    # The first round captures, compiles, and grows the heap.
    for call in calls.values():
        call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + effort.seconds
    for turn in range(effort.repeats):
        if turn >= FEWEST and time.perf_counter() > end:
            break
        for name, call in calls.items():
            settled = time.perf_counter() + settle
            while time.perf_counter() < settled:
                call()
            begun = effort.clock()
            call()
            taken[name].append((effort.clock() - begun) * 1e3)
    return {name: statistics.median(times) for name, times in taken.items()}


def rounds(calls: Mapping[str, Call], x: Tensor, effort: Effort) -> dict[str, float]:
    """Median milliseconds of every call and of a copy of ``x``, taken in turns."""
    target = torch.empty_like(x)
    return turns({**calls, COPY: lambda: target.copy_(x)}, effort)


def compare(
    layers: Mapping[str, Layer], shape: tuple[int, ...], effort: Effort
) -> dict[str, dict[str, float]]:
    """For each mode what :func:`rounds` finds on random input of a shape."""
    torch.set_num_threads(effort.threads)
    x, grad = drive(shape)
    return {
        mode: rounds({name: job(layer, mode, x, grad) for name, layer in layers.items()}, x, effort)
        for mode in MODES
    }


def drive(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Input under which a LIF neuron fires in about every sixth step, and a gradient of spikes."""
    torch.manual_seed(0)
    return torch.randn(shape) * 1.5 + 0.5, torch.randn(shape)


def peak(layer: Layer, mode: str, shape: tuple[int, ...]) -> float:
    """Growth of resident memory beyond input and incoming gradient, in sizes of the input."""
    torch.set_num_threads(1)
    # What is captured, compiled and imported for this shape is no memory of the layer.
    job(layer, mode, *drive((1, *shape[1:])))()
    x, grad = drive(shape)
    call = job(layer, mode, x, grad)
    pool.trim()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    # Sets the high-water mark back to what is resident now.
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    call()
    return (resident("VmHWM") - before) / x.nbytes


def resident(field: str) -> int:
    """Bytes of a line of this process's status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def in_child(
    script: str, request: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> Any:
    """What the script answers to a request in a fresh process; ends this one when that fails."""
    ran = subprocess.run(
        [sys.executable, script, "--child", json.dumps(request)],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
    )
    if ran.returncode:
        sys.exit(f"measuring {json.dumps(request)} failed:\n{ran.stdout}{ran.stderr}")
    return json.loads(ran.stdout.splitlines()[-1])
