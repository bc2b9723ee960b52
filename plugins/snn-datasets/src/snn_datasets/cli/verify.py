"""``snn data verify``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from snn_datasets.cli.options import FormatName, Json, Protocol, Root, Sets, Split
from snn_datasets.cli.selection import Selection, find_file, format_spec, one_or_all, select
from snn_datasets.errors import FormatError, MissingData
from snn_datasets.getting.checksum import Checksum
from snn_datasets.getting.progress import item_bar
from snn_datasets.place import seen_files
from snn_datasets.survey import Summary, Survey
from snncore.cli import settings
from snncore.cli.console import add, print_json, stdout, table
from snncore.cli.failure import FAILED, WrongUsage

# Boxes of Prophesee's datasets, which lie beside the recordings.
_NO_EVENTS = "_bbox.npy"
# More rows would hide the last one, which sums them up.
_ROWS = 20


@dataclass
class Part:
    """What was verified: a split, a file or an archive. ``summary`` is None without events."""

    name: str
    summary: Summary | None = None
    items: int = 0
    faults: list[str] = field(default_factory=list[str])


def verify(
    target: Annotated[
        str, typer.Argument(metavar="NAME|PATH", help="A dataset, an event file or a folder.")
    ],
    *,
    root: Root = None,
    split: Split = None,
    protocol: Protocol = None,
    format: FormatName = None,
    set_: Sets = None,
    json: Json = False,
) -> None:
    """Read every recording, say what they are like, and look for faults; exit code 1 if any.

    Faults are recordings that are empty or cannot be read, events that are earlier than the one
    before, off the sensor, before time 0 or of a polarity other than 0 and 1, and archives that
    are not the published ones. Hot pixels, which are told, but are no fault: more than 100 events,
    and more than the mean of all pixels of the sensor by ten standard deviations.
    """
    path = find_file(target)
    if path is None:
        if format is not None:
            raise WrongUsage("--format goes with a file or a folder; a dataset knows its format")
        selection = select(target, root=root, protocol=protocol, sets=set_)
        parts = [*_archives(selection), *_splits(selection, split)]
    else:
        if root or split or protocol:
            raise WrongUsage("--root, --split and --protocol go with the name of a dataset")
        parts = _files(path, format_spec(format, settings.parse(set_ or ())))
    faulty = [part for part in parts if part.faults]
    if json:
        print_json({"schema": 1, "faulty": bool(faulty), "parts": [asdict(p) for p in parts]})
    else:
        _print(parts)
    if faulty:
        raise typer.Exit(FAILED)


def _archives(selection: Selection) -> Iterator[Part]:
    """The archives that are here, compared with the manifest."""
    for archive in selection.info.archives if selection.info else ():
        path = selection.folder / archive.file
        if not path.is_file():
            continue
        fault = Checksum(archive).read(path).fault()
        said = [] if fault is None else [f"{path} is not the published file: {fault}"]
        yield Part(archive.file, items=1, faults=said)


def _splits(selection: Selection, split: str | None) -> Iterator[Part]:
    for name in one_or_all(selection, split):
        dataset = selection.make(name)
        if callable(getattr(dataset, "events", None)):
            yield _events(dataset, name)
        else:
            yield _images(dataset, name)


def _events(dataset: Any, name: str) -> Part:
    survey = Survey(getattr(dataset, "sensor", None))
    cache = getattr(dataset, "cache", None)
    other = 0
    for index in _counted(len(dataset), name):
        try:
            events = dataset.events(index) if cache is None else dataset.decode(index)
        except FormatError as error:
            survey.refuse(str(error))
            continue
        survey.add([events])
        other += cache is not None and not np.array_equal(cache.events(index), events)
    found = survey.summary()
    part = Part(name, found, len(dataset), found.faults)
    if cache is not None and other:
        these = "recording is another" if other == 1 else "recordings are others"
        part.faults.append(
            f"{other:,} {these} in the cache {cache.folder} than in the files; delete it, and "
            "make it again with 'snn data prepare'"
        )
    return part


def _images(dataset: Any, name: str) -> Part:
    """Items that are no events: of the promised shape, and finite."""
    part = Part(name, items=len(dataset))
    odd = 0
    for index in _counted(len(dataset), name):
        try:
            x = dataset.load(index)
        except FormatError as error:
            part.faults.append(str(error))
            continue
        fits = len(x.shape) == len(dataset.sample_shape) and all(
            wanted in (-1, given)
            for given, wanted in zip(x.shape, dataset.sample_shape, strict=True)
        )
        odd += not fits or not bool(x.isfinite().all())
    if odd:
        shape = list(dataset.sample_shape)
        part.faults.append(f"{odd:,} items are not finite numbers of shape {shape}")
    return part


def _files(path: Path, spec: Any) -> list[Part]:
    from snn_datasets.recording import suffixes

    if path.is_file():
        return [_file(path, path.name, spec)]
    known = suffixes()
    files = [
        file
        for file in seen_files(path)
        if (spec or file.suffix.lower() in known) and not file.name.endswith(_NO_EVENTS)
    ]
    if not files:
        raise MissingData(
            f"{path} holds no event files; suffixes of registered formats are "
            f"{' '.join(sorted(known))}"
        )
    numbers = iter(_counted(len(files), path.name))
    return [_file(files[i], files[i].relative_to(path).as_posix(), spec) for i in numbers]


def _file(path: Path, name: str, spec: Any) -> Part:
    from snn_datasets.recording import iter_events, sensor_size

    survey = Survey()
    with suppress(FormatError):  # damaged, which reading says again, or silent about its sensor
        survey = Survey(sensor_size(path, spec))
    try:
        survey.add(iter_events(path, spec))
    except FormatError as error:
        survey.refuse(str(error))
    found = survey.summary()
    return Part(name, found, 1, found.faults)


def _counted(count: int, name: str) -> Iterator[int]:
    with item_bar() as bar:
        yield from bar.track(range(count), description=f"verifying {name}")


def _print(parts: list[Part]) -> None:
    console = stdout()
    told = [part for part in parts if part.summary is not None]
    plain = [part for part in parts if part.summary is None]
    if plain:
        shown = table("checked", "items", "faults")
        for part in plain:
            add(shown, (part.name, f"{part.items:,}", "yes" if part.faults else "none"))
        console.print(shown)
    if told:
        if plain:
            console.print()
        shown = table(*_COLUMNS)
        for part in told[:_ROWS]:
            add(shown, _cells(part))
        console.print(shown)
        if len(told) > _ROWS:
            events = sum(part.summary.events for part in told if part.summary)
            faulty = sum(bool(part.faults) for part in told)
            console.print(
                f"... and {len(told) - _ROWS} more; {len(told)} in all, {events:,} events, "
                f"{faulty} with faults"
            )
    for part in told:
        for hot in part.summary.hot_pixels[:_ROWS] if part.summary else ():
            console.print(
                f"{part.name}: pixel x={hot.x}, y={hot.y} is hot: {hot.share:.2%} of all events",
                markup=False,
            )
    for part in parts:
        for fault in part.faults:
            console.print(f"{part.name}: {fault}", style="red", markup=False, soft_wrap=True)
    if not any(part.faults for part in parts):
        console.print("no faults", style="green")


_COLUMNS = (
    "part",
    "items",
    "events",
    "seconds",
    "events/s",
    "ON",
    "extent",
    "hot pixels",
    "empty",
    "order faults",
    "out of range",
    "damaged",
)


def _cells(part: Part) -> list[str]:
    found = part.summary
    if found is None:
        return [part.name]
    return [
        part.name,
        f"{part.items:,}",
        f"{found.events:,}",
        f"{found.duration_s:.3f}",
        "" if found.rate_per_s is None else f"{found.rate_per_s:,.0f}",
        "" if found.on_share is None else f"{found.on_share:.1%}",
        f"{found.extent[0]} x {found.extent[1]}",
        *(
            f"{count:,}"
            for count in (
                len(found.hot_pixels),
                found.empty,
                found.order_faults,
                found.out_of_range,
                found.damaged,
            )
        ),
    ]
