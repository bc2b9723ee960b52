"""``snn data convert``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from snn_datasets.cli.options import FormatName
from snn_datasets.cli.selection import format_spec, typed
from snn_datasets.errors import FormatError
from snncore import config, registry
from snncore.cli import settings
from snncore.cli.console import stdout
from snncore.cli.failure import CommandFailed, WrongUsage

# A writer takes a whole array and makes copies of it: some 100 bytes an event, 6 GB in all.
_MOST = 1 << 26


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="An event file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    *,
    format: FormatName = None,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="NAME", help="Format of OUT; from its suffix by default."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A parameter of a format, as format.columns=xypt or to.width=640.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
) -> None:
    """Write an event file in another format.

    Events, their order and times stay as they are; what the other format cannot hold is an error,
    and nothing is written then. IN is decoded in chunks; OUT is written from memory, so a
    recording of more than 67,108,864 events is refused.
    """
    from snn_datasets.recording import format_for, write_events

    if not source.is_file():
        raise WrongUsage(f"there is no file {source}")
    if target.exists() and not overwrite:
        raise WrongUsage(f"{target} is there already; add --overwrite to replace it")
    if not target.absolute().parent.is_dir():
        raise WrongUsage(f"there is no folder {target.parent}; create it, or name another file")
    sets = _tables(set_)
    reading = format_spec(format, sets["format"])
    if sets["to"] and to is None:
        raise WrongUsage("parameters of the format of OUT need its name as well: --to NAME")
    with typed("--to"):
        writer = to or format_for(target)
    with typed("--format"):
        events = _events(source, reading)
        writing = _sized(writer, sets["to"], source, reading)
    write_events(target, events, writing)
    stdout().print(
        f"wrote {len(events):,} events to {target}, {target.stat().st_size:,} bytes",
        markup=False,
        soft_wrap=True,
    )


def _tables(words: list[str] | None) -> Mapping[str, Mapping[str, Any]]:
    tables: dict[str, Any] = {"format": {}, "to": {}, **settings.parse(words or ())}
    for name, table in tables.items():
        if name not in ("format", "to") or not isinstance(table, Mapping):
            raise WrongUsage(
                f"--set expects format.KEY=VALUE for IN or to.KEY=VALUE for OUT; got {name!r}"
            )
    return tables


def _events(source: Path, spec: Any) -> Any:
    import numpy as np

    from snn_datasets.events import EVENT
    from snn_datasets.recording import iter_events

    chunks, count = [np.empty(0, EVENT)], 0
    for chunk in iter_events(source, spec):
        chunks.append(chunk)
        count += chunk.size
        if count > _MOST:
            raise CommandFailed(
                f"{source} holds more than {_MOST:,} events, which is more than can be written "
                "at once; cut it first: snn_datasets.iter_events reads it in chunks, "
                "snn_datasets.write_events writes each to a file"
            )
    return np.concatenate(chunks)


def _sized(to: str, given: Mapping[str, Any], source: Path, reading: Any) -> Mapping[str, Any]:
    """The format of OUT, with the sensor of IN for a header that wants one."""
    from snn_datasets.recording import sensor_size

    component = registry.active().find("format", to)
    known = {p.name for p in config.info("format", component.qualified).parameters}
    spec = {"name": component.qualified, **given}
    if {"width", "height"} <= known and not {"width", "height"} & set(given):
        try:
            width, height = sensor_size(source, reading)
        except FormatError:  # IN does not say; the format's own default holds
            return spec
        spec = {**spec, "width": width, "height": height}
    return spec
