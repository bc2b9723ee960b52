"""``snn simulate``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from snncore.chip import Trace, written_aside
from snncore.cli import deployment, samples, settings
from snncore.cli.console import add, print_json, stdout, table
from snncore.cli.deployment import Deployment, Source
from snncore.cli.failure import CommandFailed, WrongUsage
from snncore.cli.options import (
    Batch,
    Chip,
    ChipSet,
    Input,
    Json,
    Rate,
    Seed,
    Set,
    Shape,
    Steps,
    Untrained,
)


@dataclass(frozen=True)
class Row:
    """What a layer did in the T steps that answer the input.

    Args:
        layer: path of the user's module, or "output".
        neurons: of one sample.
        spikes: values that are not 0.
        rate: their share.
        delay: steps by which the layer lags.
    """

    layer: str
    neurons: int
    spikes: int
    rate: float
    delay: int


@dataclass(frozen=True)
class Classes:
    """How many samples each output neuron fires most for, and how many make none of them fire."""

    samples: Sequence[int]
    silent: int


def simulate(
    model: Annotated[str, typer.Argument(metavar="MODEL|FILE", help=deployment.HELP)],
    *,
    chip: Chip,
    input_: Input = None,
    steps: Steps = None,
    batch: Batch = None,
    rate: Rate = None,
    seed: Seed = None,
    record: Annotated[
        list[str] | None,
        typer.Option("--record", metavar="LAYER", help="A layer to record; default is all."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", help="Keep output, spikes and states."),
    ] = None,
    set_: Set = None,
    chip_set: ChipSet = None,
    shape: Shape = None,
    untrained: Untrained = False,
    json: Json = False,
) -> None:
    """Run a network as a chip does, without the chip or its vendor's software."""
    if out is not None and out.suffix != ".npz":
        raise WrongUsage(f"--out expects a file ending in .npz; got {out}")
    deployed = deployment.deploy(
        deployment.open_chip(chip, chip_set),
        Source(model, settings.parse(set_ or ()), untrained),
        shape,
        input_,
        {"steps": steps, "batch": batch, "rate": rate, "seed": seed},
    )
    layers = _layers(deployed, record)
    with samples.running(model, deployed.x.shape):
        ran = deployed.chip.simulate(deployed.program, deployed.x, layers)
    if out is not None:
        _keep(ran, out)
    rows = list(_rows(ran, len(deployed.x)))
    classes = _classes(ran)
    if json:
        print_json(
            {
                "schema": 1,
                "input": list(deployed.x.shape),
                "latency": ran.latency,
                "rows": [asdict(row) for row in rows],
                "counters": dict(ran.counters),
                "predicted": None if classes is None else asdict(classes),
            }
        )
        return
    _print(ran, rows, classes)


def _layers(deployed: Deployment, wanted: Sequence[str] | None) -> tuple[str, ...]:
    known = tuple(deployed.chip.layers(deployed.program))
    unknown = [layer for layer in wanted or () if layer not in known]
    if unknown:
        raise WrongUsage(
            f"there is no layer {unknown[0]!r} to record; there are {', '.join(known) or 'none'}"
        )
    return known if wanted is None else tuple(wanted)


def _rows(ran: Trace, steps: int) -> Iterator[Row]:
    layers = [(path, kept, ran.delays.get(path, 0)) for path, kept in ran.spikes.items()]
    for path, whole, delay in (*layers, ("output", ran.output, ran.latency)):
        answer = whole[delay : delay + steps]
        spikes = int(answer.count_nonzero())
        yield Row(path, answer[0, 0].numel(), spikes, spikes / answer.numel(), delay)


def _classes(ran: Trace) -> Classes | None:
    """None where the output of a sample is no vector."""
    answers = ran.output[ran.latency :]
    if answers.dim() != 3:
        return None
    loud = answers.any(2).any(0)
    winners = answers.sum(0)[loud].argmax(1)
    return Classes(winners.bincount(minlength=answers.shape[2]).tolist(), int((~loud).sum()))


def _print(ran: Trace, rows: Sequence[Row], classes: Classes | None) -> None:
    console = stdout()
    shown = table("layer", "neurons", "spikes", "rate", "delay")
    for row in rows:
        add(shown, (row.layer, row.neurons, f"{row.spikes:,}", f"{row.rate:.2%}", row.delay))
    console.print(shown)
    console.print(f"\nlatency {ran.latency}")
    for name, count in ran.counters.items():
        console.print(f"{name} {count:,}", markup=False)
    if classes is not None:
        counts = [f"class {i}: {count}" for i, count in enumerate(classes.samples) if count]
        if classes.silent:
            counts.append(f"none, as no output fires: {classes.silent}")
        console.print(f"samples by predicted class: {', '.join(counts)}")


def _keep(ran: Trace, place: Path) -> None:
    arrays: dict[str, Any] = {"output": ran.output.numpy(), "latency": np.array(ran.latency)}
    for path, kept in ran.spikes.items():
        arrays[f"spikes/{path}"] = kept.numpy()
        arrays[f"delays/{path}"] = np.array(ran.delays.get(path, 0))
    for path, named in ran.states.items():
        arrays |= {f"states/{path}/{name}": value.numpy() for name, value in named.items()}
    for name, count in ran.counters.items():
        arrays[f"counters/{name}"] = np.array(count)
    try:
        # An open file: by a name, NumPy would choose its own ending.
        with written_aside(place) as aside, aside.open("wb") as file:
            np.savez_compressed(file, **arrays)
    except OSError as error:
        raise CommandFailed(f"cannot write {place}: {error.strerror or error}") from error
