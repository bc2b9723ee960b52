"""``snn profile``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

import snncore as snn
from snncore import monitor
from snncore.cli import network, settings
from snncore.cli.console import print_json, stdout
from snncore.cli.failure import CommandFailed, WrongUsage
from snncore.monitor.energy import MODELS


def profile(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=network.HELP)],
    *,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the model."),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(metavar="C,H,W", help="Of one item at one step; default is its in_shape."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Time steps.")] = 4,
    batch: Annotated[int, typer.Option(min=1, help="Items.")] = 1,
    rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of spikes in the random input.")
    ] = 0.1,
    values: Annotated[
        bool, typer.Option("--values", help="Numbers in [0, 1) as input, not spikes.")
    ] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs.")] = 5,
    energy: Annotated[str, typer.Option(help=f"Prices: {', '.join(MODELS)}.")] = "float32",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show time, parameters, firing, operations and memory traffic, layer by layer."""
    if energy not in MODELS:
        raise WrongUsage(f"no energy model {energy!r}; there are {', '.join(MODELS)}")
    net = network.open_network(model, settings.parse(set_ or ()))
    timed = any(hasattr(module, "step_mode") for module in net.modules())
    if timed:
        snn.set_step_mode(net, "m")
    x = monitor.random_input(
        _shape(shape, net),
        steps=steps if timed else None,
        batch=batch,
        rate=None if values else rate,
    )
    try:
        found = monitor.profile(net.eval(), x, repeats=repeats, energy=energy)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise CommandFailed(
            f"{model} does not run on an input {list(x.shape)}: {error}; say --shape"
        ) from error
    if json:
        print_json(
            {
                "schema": 1,
                "input": list(x.shape),
                "rows": [asdict(row) for row in found.rows],
                "uncounted": found.operations.uncounted,
                "energy_pj": found.operations.total.energy(found.operations.model),
                "notes": list(found.notes()),
            }
        )
        return
    stdout().print(found)


def _shape(word: str | None, net: Any) -> Sequence[int]:
    if word is None:
        known = getattr(net, "in_shape", None)
        if known is None:
            raise WrongUsage("this network names no in_shape; say --shape, as in --shape 2,34,34")
        return known
    try:
        sizes = [int(part) for part in word.split(",")]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 1:
        raise WrongUsage(f"--shape takes sizes of one item, as in 2,34,34; got {word!r}")
    return sizes
