"""Kernels on a CUDA device: their tests, then their speed. `make gpu-check` runs it.

Nothing beyond the repository and installed packages is needed, no data and no network.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path

import torch
from measure import MODES, Call, drive, job
from page import Page, number, parser, power
from peers import Layer, failures, ours, spikingjelly
from torch import Tensor

import snncore as snn

ROOT = Path(__file__).resolve().parents[1]
TESTED = (
    ("of kernels on devices", ["-m", "gpu", "tests"]),
    ("of the kit, for registered neurons", ["-k", "backend or compiles", "plugins/snn-neurons"]),
)
STEPS, SIZES = (4, 16, 64, 256), (1 << 16, 1 << 18, 1 << 20)
# What is unrolled for longer runs takes minutes to compile.
UNROLLED = 16
COPY = "copy"
FEWEST = 3
Shape = tuple[int, int]


def ours_on(backend: str) -> Layer:
    return ours("lif", backend, {"tau": 2.0}, detach=False)


def unrolled() -> Layer:
    """``torch.compile`` of the eager step in a loop over T."""
    neuron = snn.build("neuron", "lif", tau=2.0, step_mode="m", backend="eager")

    def loop(x: Tensor) -> Tensor:
        v, spikes = x.new_zeros(x.shape[1:]), []
        for now in x.unbind(0):
            s, v = neuron.step(now, v)
            spikes.append(s)
        return torch.stack(spikes)

    return Layer(torch.compile(loop, dynamic=False, fullgraph=True))


def theirs(backend: str) -> Layer:
    return spikingjelly("LIFNode", {"tau": 2.0, "backend": backend})


CONTENDERS: dict[str, Callable[[], Layer]] = {
    "cuda": partial(ours_on, "cuda"),
    "triton": partial(ours_on, "triton"),
    "eager": partial(ours_on, "eager"),
    "compiled loop": unrolled,
    "spikingjelly cupy": partial(theirs, "cupy"),
    "spikingjelly triton": partial(theirs, "triton"),
}


def absent() -> dict[str, str]:
    """Which contenders cannot run on this machine, and why."""
    found: dict[str, str] = {}
    for name in ("cuda", "triton"):
        reason = snn.get("backend", name)().available()
        if reason is not None:
            found[name] = reason
    reason = failures(["spikingjelly"]).get("spikingjelly")
    if reason is not None:
        found |= dict.fromkeys(("spikingjelly cupy", "spikingjelly triton"), reason)
    return found


def rounds(calls: Mapping[str, Call], repeats: int) -> dict[str, float]:
    """Median milliseconds of every call by events on the stream, taken in turns (A B C A B C)."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    # The first rounds capture, compile, and fill the allocator.
    for turn in range(FEWEST + repeats):
        for name, call in calls.items():
            begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begun.record()
            call()
            ended.record()
            ended.synchronize()
            if turn >= FEWEST:
                taken[name].append(begun.elapsed_time(ended))
    return {name: statistics.median(times) for name, times in taken.items()}


def measured(shape: Shape, mode: str, layers: Mapping[str, Layer], repeats: int) -> dict[str, str]:
    """A cell of the table by contender; one that fails says with what."""
    x, grad = (tensor.cuda() for tensor in drive(shape))
    target = torch.empty_like(x)
    calls: dict[str, Call] = {COPY: lambda: target.copy_(x)}
    cells: dict[str, str] = {}
    for name, layer in layers.items():
        if name == "compiled loop" and shape[0] > UNROLLED:
            cells[name] = ""
            continue
        call = job(layer, mode, x, grad)
        try:
            call()
        except Exception as error:  # other libraries, and memory, fail in many ways
            cells[name] = type(error).__name__
            print(f"{name}, T={shape[0]}, N={shape[1]}: {error}", file=sys.stderr)
        else:
            calls[name] = call
    torch.cuda.empty_cache()
    times = rounds(calls, repeats)
    first = next((times[name] for name in layers if name in times), None)
    for name, time in times.items():
        ratio = "" if first is None or name == COPY else f" ({time / first:.1f})"
        cells[name] = f"{number(time)}{ratio}"
    return cells


def table(shapes: Sequence[Shape], names: Sequence[str], repeats: int) -> list[list[str]]:
    """Times of all contenders; the ratio to the first one in brackets."""
    layers = {name: CONTENDERS[name]() for name in names}
    rows = [["mode", "T", "N", *(f"{name} ms" for name in names), "copy ms"]]
    for mode, shape in itertools.product(MODES, shapes):
        torch.compiler.reset()
        cells = measured(shape, mode, layers, repeats)
        head = [mode, str(shape[0]), power(shape[1])]
        rows.append([*head, *(cells[name] for name in names), cells[COPY]])
        print(*rows[-1], sep=" | ", file=sys.stderr)
    return rows


def tested() -> list[list[str]]:
    """What pytest says of each suite; ends this process when a test fails."""
    rows = [["tests", "result"]]
    for name, options in TESTED:
        # Drivers and compilers of a machine that is not CI's may warn.
        command = [sys.executable, "-m", "pytest", "-q", "-W", "default", "-p", "no:cacheprovider"]
        ran = subprocess.run(
            [*command, *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        print(ran.stdout, file=sys.stderr)
        if ran.returncode:
            sys.exit(f"tests {name} failed; nothing is measured or written")
        rows.append([name, ran.stdout.strip().splitlines()[-1].strip("= ")])
    return rows


def devices() -> list[str]:
    """The device and what drives it."""
    own = torch.cuda.get_device_properties(0)
    packages = ("triton", "cupy-cuda12x", "cupy-cuda13x")
    found = [f"{name} {metadata.version(name)}" for name in packages if _installed(name)]
    return [
        f"{own.name}, compute capability {own.major}.{own.minor}, "
        f"{own.total_memory / 2**30:.0f} GiB, {own.multi_processor_count} multiprocessors",
        ", ".join([f"CUDA {torch.version.cuda} of torch", *found]),
    ]


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--repeats", type=int, default=21, help="rounds of every contender")
    made.add_argument("--steps", type=int, nargs="+", default=STEPS, metavar="T")
    made.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N")
    made.add_argument("--only", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    made.add_argument("--no-tests", action="store_true", help="measure alone")
    made.add_argument("--no-times", action="store_true", help="test alone")
    return made.parse_args()


def main() -> None:
    chosen = arguments()
    if not torch.cuda.is_available():
        sys.exit("torch finds no CUDA device; this check needs one (`nvidia-smi` lists them)")
    missing = absent()
    for name, reason in missing.items():
        print(f"left out: {name} ({reason})", file=sys.stderr)
    page = Page("gpu", "Kernels on a CUDA device")
    page.notes += [*devices(), *(f"left out: {name} ({why})" for name, why in missing.items())]
    if not chosen.no_tests:
        page.add("Tests", "Every one passed, or was skipped for a reason it gave.", tested())
    if not chosen.no_times:
        names = [name for name in chosen.only if name not in missing]
        shapes = list(itertools.product(chosen.steps, chosen.sizes))
        words = (
            "LIF neurons (tau 2, hard reset, arctangent surrogate), float32. Medians of times "
            "between two events on the stream around a call, contenders taking turns: what Python "
            f"needs to launch is in them. In brackets, how many times as long as {names[0]}. "
            "*Copy* moves two tensors of the shape of x."
        )
        page.add("LIF", words, table(shapes, names, chosen.repeats))
    page.publish(None, chosen)


if __name__ == "__main__":
    main()
