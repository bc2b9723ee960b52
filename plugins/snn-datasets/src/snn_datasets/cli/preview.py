"""``snn data preview``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from snn_datasets.cli.options import FormatName, Protocol, Root, Sets
from snn_datasets.cli.selection import find_file, format_spec, select
from snn_datasets.errors import FormatError
from snn_datasets.picture import (
    Picture,
    caption,
    coloured,
    enlarged,
    grey,
    raster,
    reduced,
    sheet,
    unrolled,
    write_gif,
    write_png,
)
from snn_datasets.sensor import Size
from snncore.cli import settings
from snncore.cli.console import stdout
from snncore.cli.failure import CommandFailed, WrongUsage

# Of a long recording, this many events are shown: about a quarter of a GB in memory.
_MOST = 1 << 24
_ACROSS = 10


@dataclass(frozen=True)
class Shown:
    """One recording or image: its pictures on the sheet, and those that follow one another."""

    name: str
    still: list[Picture]
    moving: list[Picture]


def preview(
    target: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A dataset or an event file.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="A .png; a .gif of the same name is made too."),
    ] = None,
    items: Annotated[int, typer.Option(min=1, max=1000, help="Items of a dataset.")] = 10,
    T: Annotated[int, typer.Option("--T", min=1, max=1000, help="Frames of each item.")] = 8,
    root: Root = None,
    split: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="Its first by default.")
    ] = None,
    protocol: Protocol = None,
    format: FormatName = None,
    set_: Sets = None,
) -> None:
    """Draw a sheet of recordings (PNG) and a moving picture of them (GIF).

    A row of the sheet is an item, a column a frame: blue are ON events, orange OFF events, brighter
    where there are more. Sounds are drawn as rasters, time to the right, unit to the top.
    """
    path = find_file(target)
    if path is None:
        selection = select(target, root=root, protocol=protocol, sets=set_)
        dataset = selection.make(split or selection.splits[0])
        shown = [_item(dataset, index, T) for index in _spread(dataset, items)]
        stem = selection.component.name
    else:
        if root or split or protocol:
            raise WrongUsage("--root, --split and --protocol go with the name of a dataset")
        shown = [_file(path, format_spec(format, settings.parse(set_ or ())), T)]
        stem = path.stem
    place = Path(f"{stem}_preview.png") if out is None else out
    if place.suffix.lower() != ".png":
        raise WrongUsage(f"--out expects a file ending in .png; got {place}")
    if not place.parent.is_dir():
        raise WrongUsage(f"there is no folder {place.parent}; create it, or name another file")
    try:
        for written in _draw(shown, place):
            stdout().print(f"wrote {written}", markup=False, soft_wrap=True)
    except OSError as error:
        raise CommandFailed(f"cannot write {place}: {error.strerror or error}") from error


def _draw(shown: list[Shown], place: Path) -> Iterator[Path]:
    cells = [[caption(s.name, s.still[0].shape[0]), *s.still] for s in shown]
    across = max(_ACROSS // max(map(len, cells)), 1)
    rows = [list(chain(*cells[i : i + across])) for i in range(0, len(cells), across)]
    write_png(place, sheet(rows))
    yield place
    steps = max(len(s.moving) for s in shown)
    if steps < 2:
        return
    across = math.ceil(math.sqrt(len(shown)))
    rows_of = [shown[start : start + across] for start in range(0, len(shown), across)]
    moving = [
        sheet([[s.moving[min(step, len(s.moving) - 1)] for s in row] for row in rows_of])
        for step in range(steps)
    ]
    gif = place.with_suffix(".gif")
    write_gif(gif, moving)
    yield gif


def _spread(dataset: Any, items: int) -> list[int]:
    """Items of as many classes as there are, in the order of classes."""
    targets = np.asarray(dataset.targets)
    if targets.ndim != 1 or targets.dtype.kind not in "iu":
        return [round(i * (len(dataset) - 1) / max(items - 1, 1)) for i in range(items)]
    # the first of each class, then the second of each, until there are enough
    order = np.argsort(targets, kind="stable")
    rank = np.empty(len(targets), np.int64)
    ordered = targets[order]
    first = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1)) if ordered.size else ordered
    rank[order] = np.arange(len(targets)) - np.repeat(first, np.diff(first, append=len(targets)))
    chosen = np.lexsort((targets, rank))[:items]
    return sorted(chosen.tolist(), key=lambda i: (targets[i], i))


def _item(dataset: Any, index: int, T: int) -> Shown:
    label = np.asarray(dataset.targets[index])
    classes = getattr(dataset, "classes", ())
    named = label.ndim == 0 and label.dtype.kind in "iu" and 0 <= int(label) < len(classes)
    name = f"{classes[int(label)]}\nitem {index}" if named else f"item {index}"
    if callable(getattr(dataset, "events", None)):
        return _recording(name, dataset.events(index), dataset.sensor, T)
    x = dataset.load(index).numpy()
    if x.ndim == 3:
        picture = enlarged(grey(x))
        return Shown(name, [picture], [picture])
    if x.ndim == 4:
        pictures = [enlarged(picture) for picture in coloured(reduced(x[:T]))]
        return Shown(name, pictures, pictures)
    raise CommandFailed(
        f"{type(dataset).__name__} gives items of shape {list(x.shape)}, which are neither images "
        "[C, H, W] nor frames [T, P, H, W]; there is nothing to draw"
    )


def _file(path: Path, spec: Any, T: int) -> Shown:
    from snn_datasets.recording import iter_events, sensor_size

    if path.is_dir():
        raise WrongUsage(f"{path} is a folder; name one of its files")
    chunks: list[NDArray[Any]] = []
    count = 0
    for chunk in iter_events(path, spec):
        chunks.append(chunk)
        count += chunk.size
        if count >= _MOST:
            stdout().print(f"the first {count:,} events are drawn", markup=False)
            break
    if not chunks:
        raise CommandFailed(f"{path} holds no events; there is nothing to draw")
    events = np.concatenate(chunks)
    try:
        size = sensor_size(path, spec)
    except FormatError:  # the file does not say: as far as its events reach
        size = (int(events["x"].max()) + 1, int(events["y"].max()) + 1)
    return _recording(path.name, events, size, T)


def _recording(name: str, events: NDArray[Any], size: Size, T: int) -> Shown:
    from snn_datasets import frames

    events = events[np.argsort(events["t"], kind="stable")]
    if size[1] == 1:
        whole = raster(events, size)
        return Shown(name, [whole], unrolled(whole, T))
    try:
        made = frames(events, size=size, T=T, by="time")
    except FormatError as error:
        raise FormatError(f"{name}: {error}; 'snn data verify' tells more") from error
    pictures = [enlarged(picture) for picture in coloured(reduced(made))]
    return Shown(name, pictures, pictures)
