"""``snn data import``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from snn_datasets.cli.options import Sets
from snn_datasets.cli.selection import Selection, select
from snn_datasets.errors import FormatError
from snn_datasets.getting.progress import item_bar
from snn_datasets.survey import Survey
from snncore.cli.console import add, stdout, table
from snncore.cli.failure import FAILED, CommandFailed, WrongUsage

_AUTO = "auto"


def import_(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="With a folder of recordings for each class.")
    ],
    *,
    name: Annotated[
        str | None, typer.Option("--name", help="What to call the data; as the folder by default.")
    ] = None,
    format: Annotated[
        str, typer.Option("--format", metavar="NAME", help="Format of the files.")
    ] = _AUTO,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A .toml for the table of recipes.")
    ] = None,
    set_: Sets = None,
    cache: Annotated[bool, typer.Option("--cache", help="Build the cache of the events.")] = False,
) -> None:
    """Check your own recordings in class folders, and say how to use them as a dataset.

    The folder is FOLDER/<class>/... or FOLDER/{train,test}/<class>/...; files of any registered
    format. Nothing is copied or changed. Exit code 1 if recordings have faults.
    """
    if not folder.is_dir():
        raise WrongUsage(f"there is no folder {folder}")
    if out is not None and (out.suffix.lower() != ".toml" or out.exists()):
        reason = "is there already" if out.exists() else "does not end in .toml"
        raise WrongUsage(f"--out expects a new .toml file; {out} {reason}")
    selection = select("folder", root=folder.absolute(), sets=set_)
    params = dict(selection.params)
    if format != _AUTO:
        given = params.get("event_format")
        more = given if isinstance(given, Mapping) else {}
        params["event_format"] = {"name": format, **more} if more else format
    selection = Selection(selection.component, selection.target, params)
    datasets = {split: selection.make(split) for split in selection.splits}
    faulty = _check(datasets)
    called = name or folder.absolute().name
    spec = {"name": selection.component.name, **params}
    lines = [f"# {called}", "[data]", *(f"{k} = {_toml(v)}" for k, v in spec.items())]
    console = stdout()
    console.print("\nIn a recipe:\n", markup=False)
    console.print("\n".join(lines), markup=False, soft_wrap=True)
    given = "".join(f", {key}={value!r}" for key, value in params.items())
    console.print("\nIn Python:\n", markup=False)
    console.print(
        f'snncore.build("dataset", "{spec["name"]}"{given}, split="train")',
        markup=False,
        soft_wrap=True,
    )
    if out is not None:
        _write(out, "\n".join(lines) + "\n")
        console.print(f"\nwrote {out}", markup=False, soft_wrap=True)
    if faulty:
        raise typer.Exit(FAILED)
    for dataset in datasets.values() if cache else ():
        dataset.prepare()


def _check(datasets: Mapping[str, Any]) -> bool:
    """Prints what the classes are like; whether there are faults."""
    some = next(iter(datasets.values()))
    surveys = [Survey(some.sensor) for _ in some.classes]
    counts = {
        split: np.bincount(dataset.targets, minlength=len(surveys))
        for split, dataset in datasets.items()
    }
    with item_bar() as bar:
        task = bar.add_task("checking", total=sum(map(len, datasets.values())))
        for dataset in datasets.values():
            for index, label in enumerate(dataset.targets.tolist()):
                try:
                    surveys[label].add([dataset.decode(index)])
                except FormatError as error:
                    surveys[label].refuse(str(error))
                bar.advance(task)
    console = stdout()
    shown = table("class", *datasets, "events", "seconds", "events/s", "ON", "faults")
    found = [survey.summary() for survey in surveys]
    for label, (called, summary) in enumerate(zip(some.classes, found, strict=True)):
        rate = "" if summary.rate_per_s is None else f"{summary.rate_per_s:,.0f}"
        share = "" if summary.on_share is None else f"{summary.on_share:.1%}"
        split = [f"{count[label]:,}" for count in counts.values()]
        numbers = (f"{summary.events:,}", f"{summary.duration_s:.3f}", rate, share)
        add(shown, (called, *split, *numbers, "yes" if summary.faults else "none"))
    console.print(shown)
    for called, summary in zip(some.classes, found, strict=True):
        for fault in summary.faults:
            console.print(f"{called}: {fault}", style="red", markup=False, soft_wrap=True)
    return any(summary.faults for summary in found)


def _toml(value: Any) -> str:
    """A value as TOML, which writes text, numbers and lists as JSON does."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.part")
    try:
        aside.write_text(text, "utf-8")
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise CommandFailed(f"cannot write {path}: {error.strerror or error}") from error
