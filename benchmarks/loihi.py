"""The simulator of Loihi beside Lava's own, on an exported network and real recordings.

See README.md in this folder.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from page import Page, number, parser
from torch import Tensor

import snncore as snn
from snncore.errors import ChipError

STEPS = (16, 64, 256)
SAMPLES, OF_LAVA = 100, (2, 6)


def recordings(root: Path, steps: int) -> Tensor:
    """Binary frames of the test recordings of N-MNIST, ``[T, 100, 2, 32, 32]``."""
    data = snn.build(
        "dataset",
        "n_mnist",
        root=root,
        split="test",
        integrate={"T": steps, "binary": True, "crop": [32, 32]},
    )
    return torch.stack([data[i][0] for i in range(SAMPLES)], 1)


def seconds(call: Callable[[], Any], repeats: int) -> float:
    """Median of the wall's clock, after one run."""
    call()
    took = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        took.append(time.perf_counter() - begun)
    return statistics.median(took)


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--net", type=Path, required=True, help="file of `snn export`")
    options.add_argument("--data", type=Path, required=True, help="folder of N-MNIST")
    options.add_argument("--repeats", type=int, default=5)
    chosen = options.parse_args()
    torch.set_num_threads(1)
    chip: Any = snn.build("chip", "loihi2")
    program = chip.read(chosen.net)
    lava = chip.toolchain()
    if (reason := lava.available()) is not None:
        sys.exit(f"{reason}; `make verify-lava` builds one")
    page = Page("loihi", "The simulator of Loihi beside Lava's")
    page.notes += [
        f"{chosen.net.name}: {program.input_shape}, layers {list(program.shapes())}",
        "wall time; ours in one thread, Lava (lava-nc 0.10.0, lava-dl 0.6.0) in as many processes "
        "as it starts",
    ]

    x = recordings(chosen.data, STEPS[0])
    ours, theirs = chip.simulate(program, x).output, lava.run(chosen.net, x).output
    if not torch.equal(ours, theirs):
        raise ChipError(f"{int((ours != theirs).sum())} spikes differ; nothing is measured")
    agreed = f"All {ours.numel():,} values of the output are equal, {int(ours.sum()):,} spikes."

    each = {
        count: seconds(lambda count=count: lava.run(chosen.net, x[:, :count]), chosen.repeats)
        for count in OF_LAVA
    }
    few, many = OF_LAVA
    lava_one = (each[many] - each[few]) / (many - few)
    single = seconds(lambda: chip.simulate(program, x[:, :1]), chosen.repeats)
    batch = seconds(lambda: chip.simulate(program, x), chosen.repeats) / SAMPLES
    rows = [["milliseconds per sample of 16 steps", "ms", "times faster than Lava"]]
    rows.append(["Lava, each further sample of a run", number(1e3 * lava_one), ""])
    for name, took in (("ours, one sample", single), ("ours, 100 samples at once", batch)):
        rows.append([name, number(1e3 * took), number(lava_one / took)])
    page.add(
        "Test recordings of N-MNIST",
        f"{agreed} Lava's start and its building of the network are not counted: its time is the "
        f"difference of runs of {many} and {few} samples.",
        rows,
    )

    rows = [["steps", "ms", "microseconds per step and sample"]]
    for steps in STEPS:
        x = recordings(chosen.data, steps)
        took = seconds(lambda x=x: chip.simulate(program, x), chosen.repeats)
        rows.append([str(steps), number(1e3 * took), number(1e6 * took / SAMPLES / steps)])
    page.add("Ours, 100 samples, over time", "The cost of a step does not grow with T.", rows)
    page.publish(None, chosen)


if __name__ == "__main__":
    main()
