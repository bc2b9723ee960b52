"""Gestures on Loihi: trains a network on the chip's grid, exports it, and simulates the file.

Every spike that the trained network makes on the test set is compared with those of the simulator,
which runs the file. `report.md` holds both accuracies, how each layer fires, what the chip says:

    python examples/loihi_dvs_gesture/run.py --data DIR --out gesture
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import snncore as snn
from snn_train import load_network, load_recipe, train
from snn_train.parts import dataset_of
from snncore.chip import ParityReport, Trace, compare, export, run_source
from snncore.graph import Table, trace


def test_set(recipe: str, changes: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Spikes ``[T, N, P, H, W]`` and labels ``[N]`` of all test items of a recipe."""
    items = dataset_of(load_recipe(recipe, changes), "test")
    x, labels = zip(*(items[i] for i in range(len(items))), strict=True)
    return torch.stack(x, 1), torch.tensor(labels)


def accuracy(run: Trace, labels: Tensor) -> float:
    """Share of samples whose class has the neuron with the most spikes."""
    winners = run.output[run.latency :].sum(0).argmax(1)
    return float((winners == labels).double().mean())


def layers(source: Trace, chip: Trace) -> Table:
    """Share of neurons that fire in a step, of both runs, layer by layer."""
    rows: list[tuple[str | int, ...]] = []
    for path, spikes in source.spikes.items():
        delay = chip.delays.get(path, 0)
        answers = chip.spikes[path][delay : delay + len(spikes)]
        rates = [f"{run.mean().item():.2%}" for run in (spikes, answers)]
        rows.append((path, spikes[0, 0].numel(), *rates, delay))
    columns = ("layer", "neurons", "network", "simulator", "steps later")
    return Table("Firing", columns, tuple(rows))


def main(words: Sequence[str] | None = None) -> ParityReport:
    """Trains, exports, simulates, compares, and writes the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the recipe's recordings")
    parser.add_argument("--out", type=Path, default=Path("gesture"), help="folder of what is made")
    parser.add_argument("--recipe", default="loihi_dvs_gesture", help="a recipe of a Loihi network")
    parser.add_argument("--epochs", type=int, help="instead of those of the recipe")
    parser.add_argument("--chip", default="loihi2", help="loihi1 or loihi2")
    given = parser.parse_args(words)
    changes = [] if given.data is None else [f"data.root={given.data}"]
    if given.epochs is not None:
        changes.append(f"train.epochs={given.epochs}")
    run = ["run.name=run", f"run.root={given.out}", "run.overwrite=true"]
    result = train(given.recipe, [*changes, *run])

    net = load_network(given.out / "run")
    x, labels = test_set(given.recipe, changes)
    graph = trace(net, x[0])
    chip: Any = snn.build("chip", given.chip)
    artefact = export(chip, graph, given.out / "network.net")

    source = run_source(graph, x)
    program = chip.read(artefact.path)
    simulated = chip.simulate(program, x, tuple(source.spikes))
    parity = compare(source, simulated, "exact")
    text = summary(result, artefact.path, parity, accuracy(source, labels), simulated, labels)
    firing = layers(source, simulated)
    report = replace(artefact.report, tables=(firing, *artefact.report.tables))
    (given.out / "report.md").write_text(f"{text}\n\n{report.markdown()}\n", encoding="utf-8")
    print(text)
    print(f"wrote {given.out / 'report.md'}")
    return parity


def summary(
    result: dict[str, Any],
    file: Path,
    parity: ParityReport,
    trained: float,
    simulated: Trace,
    labels: Tensor,
) -> str:
    """What came out, in a few lines."""
    lost = ", ".join(f"{name} {count}" for name, count in simulated.counters.items())
    return "\n".join(
        [
            f"- trained: {result['recipe']}, {result['epochs']} epochs, "
            f"{result['parameters']:,} weights on the grid",
            f"- file: {file.name}, {file.stat().st_size:,} bytes",
            f"- accuracy on {len(labels)} test items: network {trained:.2%}, "
            f"simulator {accuracy(simulated, labels):.2%}",
            f"- spikes, {parity.policy}: {parity.mismatches} of {parity.bins:,} differ",
            f"- latency: {simulated.latency} steps; {lost}",
        ]
    )


if __name__ == "__main__":
    raise SystemExit(not main().ok)
