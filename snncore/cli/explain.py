"""``snn explain``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

import snncore as snn
from snncore.cli import network, settings
from snncore.cli.console import add, print_json, stdout, table
from snncore.cli.options import Json, Set


def explain(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=network.HELP)],
    *,
    set_: Set = None,
    json: Json = False,
) -> None:
    """Say, layer by layer, which backend runs and why another does not."""
    report = snn.explain(network.open_network(model, settings.parse(set_ or ())))
    if json:
        print_json({"schema": 1, "rows": [asdict(row) for row in report.rows]})
        return
    shown = table("path", "layer", "mode", "backend", "why not another")
    for row in report.rows:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in row.reasons.items())
        add(shown, (row.path or ".", row.layer, row.step_mode, row.backend, reasons))
    stdout().print(shown)
    if not report.rows:
        stdout().print("no layer of this network is time-aware; snncore.lift(net) makes them so")
