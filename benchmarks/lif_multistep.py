"""A layer of LIF neurons over all time steps: this library beside its peers on the CPU.

Contenders take turns in one process, so that all see the same machine; ratios are of medians.
Peers that cannot be imported are left out. See README.md in this folder.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

import snncore as snn
from snncore.kernels import build, pool
from snncore.kernels.memory import tune_memory

STEPS, SIZES = (4, 16, 64, 256), (1 << 16, 1 << 18, 1 << 20)
MODES = ("forward", "forward+backward")
# Tensors of the shape of x that must cross the bus at least: x in, spikes out; then x again, their
# gradient in, that of x out. Keeping the potential instead of reading x again would make it six.
LEAST = {"forward": 2, "forward+backward": 5}
# Below this, the interpreter's own memory is most of a peak.
WORTH_A_PEAK = 16 << 20
PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "lif_multistep.md"
Run = Callable[[Tensor], Tensor]


def ours(backend: str) -> Run:
    lif = snn.build("neuron", "lif", tau=2.0, step_mode="m", backend=backend)

    def run(x: Tensor) -> Tensor:
        snn.reset(lif)
        return lif(x)

    return run


def spikingjelly() -> Run:
    home = "spikingjelly.activation_based"
    neuron = importlib.import_module(f"{home}.neuron")
    surrogate = importlib.import_module(f"{home}.surrogate")
    lif = neuron.LIFNode(tau=2.0, surrogate_function=surrogate.ATan(), step_mode="m")

    def run(x: Tensor) -> Tensor:
        lif.reset()
        return lif(x)

    return run


def snntorch() -> Run:
    lif = importlib.import_module("snntorch").Leaky(beta=0.5, reset_mechanism="zero")

    def run(x: Tensor) -> Tensor:
        v, spikes = torch.zeros_like(x[0]), []
        # The scale of the decayed input; indexing x[t] instead would make backward quadratic.
        for now in (x * 0.5).unbind(0):
            s, v = lif(now, v)
            spikes.append(s)
        return torch.stack(spikes)

    return run


def norse() -> Run:
    module = importlib.import_module("norse.torch.module.lif_box")
    functional = importlib.import_module("norse.torch.functional.lif_box")
    cell = module.LIFBoxCell(
        functional.LIFBoxParameters(tau_mem_inv=torch.as_tensor(500.0)), dt=0.001
    )

    def run(x: Tensor) -> Tensor:
        state, spikes = None, []
        for now in x.unbind(0):
            s, state = cell(now, state)
            spikes.append(s)
        return torch.stack(spikes)

    return run


def sinabs() -> Run:
    layers = importlib.import_module("sinabs.layers")
    activation = importlib.import_module("sinabs.activation")
    lif = layers.LIF(
        tau_mem=1 / math.log(2),
        spike_fn=activation.SingleSpike,
        reset_fn=activation.MembraneReset(),
    )

    def run(x: Tensor) -> Tensor:
        lif.reset_states()
        return lif(x.unsqueeze(0)).squeeze(0)

    return run


CONTENDERS: dict[str, Callable[[], Run]] = {
    "cpp": lambda: ours("cpp"),
    "eager": lambda: ours("eager"),
    "spikingjelly": spikingjelly,
    "snntorch": snntorch,
    "norse": norse,
    "sinabs": sinabs,
}


def importable(names: Sequence[str]) -> dict[str, Run]:
    """What of ``names`` is installed, ready to run."""
    found: dict[str, Run] = {}
    for name in names:
        try:
            found[name] = CONTENDERS[name]()
        except ImportError as error:
            print(f"left out: {name} ({error})", file=sys.stderr)
    return found


def check(runs: dict[str, Run]) -> list[str]:
    """One line per contender on the spikes; stops when one computes something else."""
    torch.manual_seed(0)
    x = torch.randn(32, 4096) * 1.5 + 0.5
    with torch.no_grad():
        expected = ours("eager")(x)
        said = []
        for name, run in runs.items():
            y = run(x)
            wrong = int((y != expected).sum())
            # A potential may land within rounding of the threshold, but rarely.
            if y.shape != x.shape or wrong > (0 if name in ("cpp", "eager") else 13):
                sys.exit(f"{name} computes something else: {wrong} of {y.numel()} spikes differ")
            said.append(f"{name}: {wrong} of {y.numel()} spikes differ")
    print(f"firing rate {expected.mean():.3f};", "; ".join(said), file=sys.stderr)
    return said


@dataclass
class Cell:
    """Medians in milliseconds for one mode and shape."""

    mode: str
    steps: int
    size: int
    times: dict[str, float]
    copy: float
    peaks: dict[str, float]


def measure(
    runs: dict[str, Run], mode: str, steps: int, size: int, repeats: int, clock: Callable[[], float]
) -> Cell:
    """Interleaved rounds of every contender and of the copy probe."""
    x = torch.randn(steps, size) * 1.5 + 0.5
    grad = torch.randn(steps, size) if mode != "forward" else x
    target = torch.empty_like(x)
    calls = {name: job(run, mode, x, grad) for name, run in runs.items()}
    calls["copy"] = lambda: target.copy_(x)
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            begun = clock()
            call()
            # The first round captures, compiles, and grows the heap.
            if turn:
                taken[name].append((clock() - begun) * 1e3)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    copy = medians.pop("copy")
    return Cell(mode, steps, size, medians, copy, {})


def job(run: Run, mode: str, x: Tensor, grad: Tensor) -> Callable[[], object]:
    """One call whose outputs die with it."""
    if mode == "forward":

        def forward() -> None:
            with torch.no_grad():
                run(x)

        return forward
    # A second tensor on the same memory: it alone wants a gradient.
    leaf = x.detach().requires_grad_()

    def both() -> None:
        leaf.grad = None
        run(leaf).backward(grad)

    return both


def peak(name: str, mode: str, steps: int, size: int, tuned: bool) -> float:
    """Peak memory beyond input and incoming gradient, in sizes of x, of a fresh process."""
    words = ["--child", name, mode, str(steps), str(size), *(["--tune-memory"] * tuned)]
    ran = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True)
    if ran.returncode:
        sys.exit(ran.stderr)
    return float(ran.stdout.split()[-1])


def child(name: str, mode: str, steps: int, size: int) -> None:
    """What :func:`peak` runs."""
    torch.set_num_threads(1)
    run = CONTENDERS[name]()
    small = torch.randn(2, 64)
    job(run, mode, small, small)()
    x = torch.randn(steps, size) * 1.5 + 0.5
    grad = torch.randn(steps, size) if mode != "forward" else x
    call = job(run, mode, x, grad)
    # Sets the high-water mark back to what is resident now.
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    call()
    print((resident("VmHWM") - before) / x.nbytes)


def resident(field: str) -> int:
    """Bytes of a line of this process's status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def table(cells: Sequence[Cell], names: Sequence[str]) -> str:
    """The results as Markdown: milliseconds, and how many times that of ``cpp``."""
    first = names[0]
    head = ["mode", "T", "N", f"{first} ms"]
    head += [f"{name} ms (ratio)" for name in names[1:]] + ["copy ms", f"{first} / floor"]
    if any(cell.peaks for cell in cells):
        head += [f"peak {name}" for name in names]
    rows = [head, ["---"] * len(head)]
    for cell in cells:
        base = cell.times[first]
        row = [cell.mode, str(cell.steps), f"2^{cell.size.bit_length() - 1}", shown(base)]
        row += [f"{shown(cell.times[n])} ({cell.times[n] / base:.1f})" for n in names[1:]]
        # A copy moves two tensors.
        floor = cell.copy * LEAST[cell.mode] / 2
        row += [shown(cell.copy), f"{base / floor:.1f}"]
        if len(head) > len(row):
            row += [f"{cell.peaks[name]:.1f}" if cell.peaks else "" for name in names]
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def shown(milliseconds: float) -> str:
    return f"{milliseconds:.3g}" if milliseconds < 100 else f"{milliseconds:.0f}"


def facts(threads: int, loads: Sequence[float], tuned: bool) -> list[str]:
    """What the numbers depend on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    pages = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    chosen = pages.read_text().split("[")[1].split("]")[0] if pages.exists() else "none"
    compiler = subprocess.run(
        [build.compiler() or "false", "--version"], capture_output=True, text=True
    ).stdout
    versions = []
    for name in ("torch", "snncore", *list(CONTENDERS)[2:]):
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    held = pool.info()
    memory = f"buffer pool {held.limit >> 20} MiB, {held.reused} buffers used again"
    return [
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, {', '.join(versions)}; "
        f"{(compiler.splitlines() or ['no compiler'])[0]}",
        f"{threads} thread(s), {'CPU' if threads == 1 else 'wall'} time; load average "
        f"{min(loads):.1f} to {max(loads):.1f} (the benchmark itself is 1); "
        f"huge pages {chosen}; malloc {'tuned' if tuned else 'as it comes'}; {memory}",
    ]


def report(cells: Sequence[Cell], names: Sequence[str], notes: Sequence[str]) -> str:
    """The page of the documentation."""
    return "\n".join(
        [
            "# LIF over many time steps",
            "",
            "Written by `python benchmarks/lif_multistep.py --write`; "
            "`benchmarks/README.md` says how it measures.",
            "",
            *(f"- {note}" for note in notes),
            "",
            table(cells, names),
            "",
        ]
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=STEPS, metavar="T")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--modes", nargs="+", default=MODES, choices=MODES)
    parser.add_argument(
        "--only", nargs="+", default=list(CONTENDERS), choices=CONTENDERS, help="contenders"
    )
    parser.add_argument(
        "--most", type=int, default=1 << 24, help="leave out shapes of more elements"
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="1 measures CPU time, more wall")
    parser.add_argument("--memory", action="store_true", help="peaks, one process each (Linux)")
    parser.add_argument("--tune-memory", action="store_true", help="for every contender")
    parser.add_argument("--write", action="store_true", help=f"write docs/benchmarks/{PAGE.name}")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    if chosen.tune_memory and (reason := tune_memory()):
        sys.exit(f"cannot tune malloc: {reason}")
    if chosen.child:
        name, mode, steps, size = chosen.child
        child(name, mode, int(steps), int(size))
        return
    torch.set_num_threads(chosen.threads)
    clock = time.process_time if chosen.threads == 1 else time.perf_counter
    runs = importable(chosen.only)
    notes = [f"Same spikes: {', '.join(check(runs))}."]
    torch.manual_seed(0)
    cells, loads = [], [os.getloadavg()[0]]
    for mode, steps, size in itertools.product(chosen.modes, chosen.steps, chosen.sizes):
        if steps * size > chosen.most:
            continue
        cell = measure(runs, mode, steps, size, chosen.repeats, clock)
        if chosen.memory and steps * size * 4 >= WORTH_A_PEAK:
            tuned = chosen.tune_memory
            cell.peaks = {name: peak(name, mode, steps, size, tuned) for name in runs}
        cells.append(cell)
        loads.append(os.getloadavg()[0])
        print(table([cell], list(runs)).splitlines()[-1], file=sys.stderr)
    notes = [*facts(chosen.threads, loads, chosen.tune_memory), *notes]
    notes.append(
        "Floor: the time of `copy_` for the bytes that must move, which are "
        f"{4 * LEAST[MODES[0]]} per neuron and step forward and {4 * LEAST[MODES[1]]} with "
        "backward. Peaks are beyond input and incoming gradient, in sizes of x."
    )
    page = report(cells, list(runs), notes)
    print(page)
    if chosen.write:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(page)


if __name__ == "__main__":
    main()
