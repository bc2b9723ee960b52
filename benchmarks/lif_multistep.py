"""A layer of LIF neurons over all time steps: this library beside its peers on the CPU.

Peers that cannot be imported are left out. See README.md in this folder.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from agreement import HEAD, WORDS, agree
from measure import COPY, MODES, TUNED, Effort, compare, drive, in_child, job, peak, rounds
from page import Page, add_effort, number, parser, power
from peers import MODULES, Layer, failures
from subjects import NEURONS, OURS
from torch import Tensor

import snncore as snn
from snncore.kernels import build, plan

STEPS, SIZES = (4, 16, 64, 256), (1 << 16, 1 << 18, 1 << 20)
TUNED_SHAPES = "16x2^18 16x2^20 64x2^16 64x2^18 256x2^16"
PEAK_SHAPES = "16x2^18 64x2^18"
COMPILED_SHAPES = "4x2^18 16x2^18"
ALONE_SHAPES = "16x2^20"
# Tensors of the shape of x that must cross the bus at least: x in, spikes out; then x again, their
# gradient in, that of x out.
LEAST = {MODES[0]: 2, MODES[1]: 5}
LIF = NEURONS["lif"]
Shape = tuple[int, int]


def compared(
    shapes: Sequence[Shape],
    names: Sequence[str],
    effort: Effort,
    environment: Mapping[str, str] | None = None,
) -> list[list[str]]:
    """Times of every shape, each in a fresh process: first all forward, then with backward."""
    first, *rest = names
    best = ["best peer (ratio)"] * any(name in MODULES for name in names)
    head = ["mode", "T", "N", f"{first} ms", *(f"{name} ms (ratio)" for name in rest), *best]
    rows: dict[str, list[list[str]]] = {mode: [] for mode in MODES}
    for shape in shapes:
        request = {"do": "times", "names": names, "shape": shape, "effort": vars(effort)}
        found = in_child(__file__, request, environment)
        for mode, times in found.items():
            rows[mode].append(row(mode, shape, names, times))
            print(*rows[mode][-1], sep=" | ", file=sys.stderr)
    body = [line for mode in MODES for line in rows[mode]]
    return [[*head, "copy ms", f"{first} / floor"], *body]


def row(mode: str, shape: Shape, names: Sequence[str], times: Mapping[str, float]) -> list[str]:
    first, *rest = names
    base = times[first]
    cells = [mode, str(shape[0]), power(shape[1]), number(base)]
    cells += [f"{number(times[name])} ({times[name] / base:.1f})" for name in rest]
    peers = {times[name]: name for name in names if name in MODULES}
    if peers:
        fastest = min(peers)
        cells.append(f"{peers[fastest]} (**{fastest / base:.1f}**)")
    # A copy moves two tensors.
    floor = times[COPY] * LEAST[mode] / 2
    return [*cells, number(times[COPY]), f"{base / floor:.1f}"]


def peaks(shapes: Sequence[Shape], names: Sequence[str]) -> list[list[str]]:
    """Peak memory of every contender, and of ours as a part of SpikingJelly's."""
    first = names[0]
    beside = "spikingjelly" in names
    rows = [["mode", "T", "N", *names, *[f"{first} / spikingjelly"] * beside]]
    for mode, shape in itertools.product(MODES, shapes):
        found = {
            name: in_child(__file__, {"do": "peak", "name": name, "mode": mode, "shape": shape})
            for name in names
        }
        cells = [mode, str(shape[0]), power(shape[1])]
        cells += [f"{found[name]:.1f}" for name in names]
        if beside:
            cells.append(f"**{found[first] / found['spikingjelly']:.0%}**")
        rows.append(cells)
    return rows


def alone(shapes: Sequence[Shape], effort: Effort) -> list[list[str]]:
    """The two compiled functions by themselves."""
    rows = [["T", "N", "forward ms", "backward ms", "bytes", "copy of them ms", "ratio"]]
    for shape in shapes:
        request = {"do": "alone", "shape": shape, "effort": vars(effort)}
        found = in_child(__file__, request)
        # A copy reads four bytes and writes four.
        copy = found[COPY] * found["bytes"] / 8
        forward, backward = found["forward"], found["backward"]
        cells = [str(shape[0]), power(shape[1]), number(forward), number(backward)]
        ratio = f"**{(forward + backward) / copy:.2f}**"
        rows.append([*cells, f"{found['bytes']:g}", number(copy), ratio])
    return rows


def compiled(shapes: Sequence[Shape], effort: Effort) -> list[list[str]]:
    """``torch.compile`` of the unrolled eager loop, and what compiling takes."""
    rows = [["mode", "T", "N", "cpp ms", "eager ms (ratio)", "compiled ms (ratio)", "compiled in"]]
    for shape in shapes:
        # An empty cache: what a reader would wait for.
        with tempfile.TemporaryDirectory() as cache:
            request = {"do": "compiled", "shape": shape, "effort": vars(effort)}
            found = in_child(__file__, request, {"TORCHINDUCTOR_CACHE_DIR": cache})
        for mode in MODES:
            times = found[mode]
            base = times["cpp"]
            cells = [mode, str(shape[0]), power(shape[1]), number(base)]
            cells += [f"{number(t)} ({t / base:.1f})" for t in (times["eager"], times["compiled"])]
            rows.append([*cells, f"{times['seconds']:.0f} s"])
    return rows


def answer(request: dict[str, Any]) -> Any:
    """What a child process measures."""
    shape = tuple(request["shape"])
    if request["do"] == "peak":
        return peak(LIF.contender(request["name"]).make(), request["mode"], shape)
    effort = Effort(**request["effort"])
    if request["do"] == "times":
        layers = {name: LIF.contender(name).make() for name in request["names"]}
        return compare(layers, shape, effort)
    torch.set_num_threads(effort.threads)
    return {"alone": kernels_alone, "compiled": loops}[request["do"]](shape, effort)


def kernels_alone(shape: tuple[int, ...], effort: Effort) -> dict[str, float]:
    """Time inside the compiled functions, on buffers of the pool that were used before."""
    spent: list[float] = []
    load = build.load

    def timed(*given: Any) -> Callable[..., Any]:
        function = load(*given)

        def call(*arguments: Any) -> Any:
            begun = effort.clock()
            result = function(*arguments)
            spent.append((effort.clock() - begun) * 1e3)
            return result

        return call

    lif = snn.build("neuron", "lif", tau=2.0, step_mode="m", backend="cpp")
    x, grad = drive(shape)
    step = job(Layer(lambda x: lif(x)), MODES[1], x, grad)

    def both() -> None:
        snn.reset(lif)
        spent.clear()
        step()

    taken: list[tuple[float, ...]] = []

    def recorded() -> None:
        both()
        if len(spent) != 2:
            sys.exit(f"forward and backward should call two kernels, but called {len(spent)}")
        taken.append(tuple(spent))

    build.load = timed
    try:
        copy = rounds({"both": recorded}, x, effort)[COPY]
    finally:
        build.load = load
    # The first round fills the pool.
    forward, backward = (sorted(times)[len(times) // 2] for times in zip(*taken[1:], strict=True))
    return {"forward": forward, "backward": backward, COPY: copy, "bytes": moved(lif, x)}


def moved(lif: torch.nn.Module, x: Tensor) -> float:
    """Bytes that the two kernels read and write per neuron and time step."""
    snn.reset(lif)
    (layer,) = plan(lif, x).layers
    read = layer.way != "keep" or "the input" in layer.needs
    # x in, spikes out, their gradient in, that of x out; then what is saved, written and read.
    return 4 * 4 + 4 * read + 2 * layer.saved_bytes


def loops(shape: tuple[int, ...], effort: Effort) -> dict[str, dict[str, float]]:
    """Ours, and one step in a Python loop over T, plain and compiled."""
    neuron = snn.build("neuron", "lif", tau=2.0, step_mode="m", backend="eager")

    def loop(x: Tensor) -> Tensor:
        v, spikes = x.new_zeros(x.shape[1:]), []
        for now in x.unbind(0):
            s, v = neuron.step(now, v)
            spikes.append(s)
        return torch.stack(spikes)

    fast = torch.compile(loop, dynamic=False, fullgraph=True)
    x, grad = drive(shape)
    layers = {"cpp": LIF.contender("cpp").make(), "eager": Layer(loop), "compiled": Layer(fast)}
    found = {}
    for mode in MODES:
        calls = {name: job(layer, mode, x, grad) for name, layer in layers.items()}
        begun = time.perf_counter()
        calls["compiled"]()
        seconds = time.perf_counter() - begun
        found[mode] = {**rounds(calls, x, effort), "seconds": seconds}
    return found


def shapes_of(text: str) -> Shape:
    """``16x2^18`` or ``16x262144``."""
    steps, _, size = text.partition("x")
    base, _, exponent = size.partition("^")
    try:
        return int(steps), int(base) ** int(exponent or 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} should read TxN, such as 16x2^18") from None


def arguments() -> argparse.Namespace:
    made = parser(__doc__)
    add_effort(made)
    made.add_argument("--only", nargs="+", default=LIF.names(), choices=LIF.names())
    made.add_argument("--steps", type=int, nargs="+", default=STEPS, metavar="T")
    made.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N")
    made.add_argument("--most", type=int, default=1 << 26, help="elements of a shape, at most")
    for name, default, words in (
        ("tuned", TUNED_SHAPES, "with malloc tuned for all"),
        ("peaks", PEAK_SHAPES, "peak memory (Linux)"),
        ("alone", ALONE_SHAPES, "kernels alone"),
    ):
        given = [shapes_of(shape) for shape in default.split()]
        made.add_argument(
            f"--{name}", type=shapes_of, nargs="*", default=given, metavar="TxN", help=words
        )
    made.add_argument(
        "--compile", type=shapes_of, nargs="*", metavar="TxN", help="torch.compile (minutes)"
    )
    return made.parse_args()


def main() -> None:
    chosen = arguments()
    if chosen.child:
        print(json.dumps(answer(json.loads(chosen.child))))
        return
    effort = Effort(chosen.repeats, chosen.seconds, chosen.threads)
    broken = failures(chosen.only)
    for name, error in broken.items():
        print(f"left out: {name} ({error})", file=sys.stderr)
    names = [name for name in chosen.only if name not in broken]
    page = Page("lif_multistep", "LIF over many time steps")
    checked = [HEAD, *agree(LIF, names)]
    shapes = list(itertools.product(chosen.steps, chosen.sizes))
    shapes = [shape for shape in shapes if shape[0] * shape[1] <= chosen.most]
    ratio = f"In brackets, how many times as long as {names[0]}."
    floor = (
        f"*Floor* is the time of `copy_` for the bytes that must move, {4 * LEAST[MODES[0]]} per "
        f"neuron and step forward and {4 * LEAST[MODES[1]]} with backward."
    )
    page.add("Default settings", f"{ratio} {floor}", compared(shapes, names, effort))
    if chosen.tuned:
        shown = " ".join(f"{name}={value}" for name, value in TUNED.items())
        words = f"All contenders under `{shown}`, so that no one waits for fresh pages. {ratio}"
        page.add("Tuned malloc", words, compared(chosen.tuned, names, effort, TUNED))
    if chosen.peaks:
        words = "Growth beyond input and incoming gradient, in sizes of the input."
        page.add("Peak memory", words, peaks(chosen.peaks, names))
    if chosen.alone and set(names) & set(OURS):
        words = (
            "Inside the compiled functions, on buffers that were used before; bytes per neuron and "
            "step that they read and write, and the time of `copy_` for as many."
        )
        page.add("Kernels alone", words, alone(chosen.alone, effort))
    if chosen.compile is not None:
        given = chosen.compile or [shapes_of(shape) for shape in COMPILED_SHAPES.split()]
        words = (
            "The eager step in a loop over T, unrolled by `torch.compile`, with an empty cache. "
            f"The kernels of this library are compiled once for all T: `compile_cost.md`. {ratio}"
        )
        page.add("Beside torch.compile", words, compiled(given, effort))
    page.add("Agreement", WORDS, checked)
    page.publish(effort, chosen)


if __name__ == "__main__":
    main()
