"""``snn data prepare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from snn_datasets.cli.options import Protocol, Root, Sets, Split
from snn_datasets.cli.selection import Selection, one_or_all, select
from snn_datasets.cli.state import cached
from snn_datasets.getting.intake import import_files
from snn_datasets.getting.space import check_space
from snn_datasets.place import bytes_to_fetch, present
from snncore.cli.console import stdout
from snncore.cli.failure import WrongUsage

# Events take 8 bytes each in a cache; the archives of N-MNIST are half that size, others less.
_CACHE_PER_ARCHIVE = 3


def prepare(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As 'n_mnist'.")],
    *,
    root: Root = None,
    split: Split = None,
    protocol: Protocol = None,
    set_: Sets = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FOLDER|ZIP", help="Take files that you have fetched from here."
        ),
    ] = None,
    download: Annotated[
        bool, typer.Option("--download/--no-download", help="Whether to fetch missing files.")
    ] = True,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Processes that decode beside this one.")
    ] = 0,
) -> None:
    """Get a dataset ready: fetch what is missing, verify it, and build the cache of its events.

    May be interrupted and called again: what is done is kept. Files that no program may fetch are
    told, with what to do; give the folder or zip file that you saved them in as --from.
    """
    selection = select(name, root=root, protocol=protocol, sets=set_)
    console = stdout()
    if from_ is not None:
        if selection.info is None or not selection.info.archives:
            raise WrongUsage(f"{selection.component.qualified} needs no files; leave out --from")
        for path in import_files(selection.info, from_, selection.folder):
            console.print(f"have {path}", markup=False, soft_wrap=True)
    if download and split is None:
        _check_space(selection)
    for chosen in one_or_all(selection, split):
        dataset = selection.make(chosen, download=download)
        done = _cache(dataset, workers)
        console.print(f"{chosen}: {dataset!r}{done}", markup=False, soft_wrap=True)
    state = cached(selection.info, selection.folder) if selection.info else ""
    console.print(
        f"{selection.component.qualified} is ready in {selection.folder}"
        f"{f'; cache {state}' if state else ''}",
        style="green",
        markup=False,
        soft_wrap=True,
    )


def _check_space(selection: Selection) -> None:
    """Room for what is fetched and for the cache of it, before either is begun."""
    info, folder = selection.info, selection.folder
    if info is None:
        return
    here = present(info, folder)
    missing = [archive.file for archive in info.archives if archive.file not in here]
    if not missing:
        return
    caches = hasattr(selection.target, "prepare")
    cache = sum(archive.bytes or 0 for archive in info.archives) * _CACHE_PER_ARCHIVE * caches
    needed = bytes_to_fetch(info, missing, folder) + cache
    check_space(folder, needed, what=f"{info.title}{' with its cache' if caches else ''}")


def _cache(dataset: Any, workers: int) -> str:
    """Builds the cache of a dataset that has one."""
    if not hasattr(dataset, "prepare"):
        return ""
    dataset.prepare(workers=workers)
    return ", cached"
