"""``snn profile``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

import snncore as snn
from snncore import monitor
from snncore.cli import network, samples, settings, weights
from snncore.cli.console import print_json, stdout
from snncore.cli.failure import WrongUsage
from snncore.cli.options import Json, Set, Shape, Untrained
from snncore.monitor.energy import MODELS


def profile(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=network.HELP)],
    *,
    set_: Set = None,
    shape: Shape = None,
    untrained: Untrained = False,
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
    json: Json = False,
) -> None:
    """Show time, parameters, firing, operations and memory traffic, layer by layer."""
    if energy not in MODELS:
        raise WrongUsage(f"no energy model {energy!r}; there are {', '.join(MODELS)}")
    net = weights.open_trained(model, settings.parse(set_ or ()), untrained=untrained)
    timed = any(hasattr(module, "step_mode") for module in net.modules())
    if timed:
        snn.set_step_mode(net, "m")
    x = monitor.random_input(
        samples.item_shape(shape, getattr(net, "in_shape", None), "this network"),
        steps=steps if timed else None,
        batch=batch,
        rate=None if values else rate,
    )
    with samples.running(model, x.shape):
        found = monitor.profile(net.eval(), x, repeats=repeats, energy=energy)
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
