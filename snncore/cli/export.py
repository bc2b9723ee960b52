"""``snn export``."""

from __future__ import annotations

import json as json_
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from snncore.chip import examine, save, written_aside
from snncore.cli import deployment, network, settings
from snncore.cli.console import print_json, stdout
from snncore.cli.deployment import Source
from snncore.cli.failure import FAILED, CommandFailed, WrongUsage
from snncore.cli.options import Chip, ChipSet, Json, Set, Shape, Untrained
from snncore.graph import Report

_FORMS: dict[str, Callable[[Report], str]] = {
    ".md": Report.markdown,
    ".json": Report.json,
    ".txt": str,
}


@dataclass(frozen=True)
class Written:
    """A file that was exported: where, the SHA-256 of its content, and its size in bytes."""

    path: str
    sha256: str
    bytes: int


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=network.HELP)],
    *,
    chip: Chip,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default is named after model and chip.")
    ] = None,
    check_only: Annotated[
        bool, typer.Option("--check-only", help="Say what the chip makes of it; write nothing.")
    ] = False,
    set_: Set = None,
    chip_set: ChipSet = None,
    shape: Shape = None,
    untrained: Untrained = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep the report too, as .md, .json or .txt."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a network for a chip, or say all that keeps it from running there."""
    if report is not None and report.suffix not in _FORMS:
        raise WrongUsage(f"--report expects a file ending in {', '.join(_FORMS)}; got {report}")
    exchange = deployment.open_chip(chip, chip_set)
    source = Source(model, settings.parse(set_ or ()), untrained)
    graph, _ = deployment.open_graph(source, shape)
    found, program = examine(exchange, graph)
    if report is not None:
        _keep(found, report)
    written = None
    if program is not None and not check_only:
        place = _default(model, chip) if out is None else out
        written = _saved(place, lambda: save(exchange, program, place))
    _print(found, written, json)
    if not found.ok:
        raise typer.Exit(FAILED)


def _default(model: str, chip: str) -> Path:
    name = model.rpartition(":")[2] if ":" in model else Path(model).resolve().name
    return Path(f"{name.rpartition('/')[2]}.{chip.rpartition('/')[2]}")


def _saved(place: Path, write: Callable[[], str]) -> Written:
    try:
        sha256 = write()
        return Written(str(place), sha256, place.stat().st_size)
    except OSError as error:
        raise CommandFailed(f"cannot write {place}: {error.strerror or error}") from error


def _keep(found: Report, place: Path) -> None:
    try:
        with written_aside(place) as aside:
            aside.write_text(_FORMS[place.suffix](found), encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"cannot write {place}: {error.strerror or error}") from error


def _print(found: Report, written: Written | None, json: bool) -> None:
    if json:
        file = None if written is None else vars(written)
        print_json({**json_.loads(found.json()), "file": file})
        return
    console = stdout()
    console.print(str(found), markup=False, soft_wrap=True)
    if written is not None:
        size = f"{written.bytes:,} bytes"
        line = f"\nwrote {written.path}, {size}, sha256 {written.sha256}"
        console.print(line, markup=False, soft_wrap=True)
    elif not found.ok:
        console.print("\nnothing was written", style="red")
