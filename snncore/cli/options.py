"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from snncore.cli.samples import RANDOM

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Set: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the model."),
]

Shape: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="C,H,W", help="Of one item at one step; default is its in_shape."),
]

Untrained: TypeAlias = Annotated[
    bool, typer.Option("--untrained", help="Fresh weights for a run, not those it trained.")
]

Chip: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", help="The chip ('snn list chip' names them).")
]

ChipSet: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--chip-set", metavar="KEY=VALUE", help="A parameter of the chip."),
]

Input: TypeAlias = Annotated[
    Path | None,
    typer.Option("--input", metavar="FILE", help="Spikes [T, N, *] as .npy or .npz, not random."),
]

Steps: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, help=f"Time steps of random spikes; {RANDOM['steps']} if not given."),
]

Batch: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help=f"Items of random spikes; {RANDOM['batch']} if not given.")
]

Rate: TypeAlias = Annotated[
    float | None,
    typer.Option(
        min=0.0, max=1.0, help=f"Share of ones among them; {RANDOM['rate']} if not given."
    ),
]

Seed: TypeAlias = Annotated[
    int | None, typer.Option(min=0, help=f"Of random spikes; {RANDOM['seed']} if not given.")
]
