"""``snn data info``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from snn_datasets.cli.options import Json, Root
from snn_datasets.cli.selection import Selection, choices, select
from snn_datasets.cli.state import cached, fetched
from snn_datasets.manifest import Info, readable_size
from snn_datasets.place import by_hand, present
from snncore.cli.console import add, print_json, stdout, table


def info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As 'n_mnist'.")],
    *,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show all that is known of a dataset, and how to get what is missing."""
    selection = select(name, root=root)
    found = selection.info
    protocols = choices(selection.target, "protocol")
    if json:
        facts = {"manifest": None} if found is None else _plain(found, selection)
        component = {"component": selection.component.qualified, "splits": selection.splits}
        print_json({"schema": 1, **component, "protocols": protocols, **facts})
        return
    console = stdout()
    facts = table("", "")
    facts.show_header = False
    rows = [
        ("name", selection.component.qualified),
        ("summary", selection.component.summary),
        *(_rows(found, selection) if found else ()),
        ("splits", ", ".join(selection.splits)),
        ("protocols", ", ".join(protocols)),
        ("folder", str(selection.folder)),
    ]
    for key, value in rows:
        if value:
            add(facts, (key, value))
    console.print(facts)
    if found is None:
        return
    if found.archives:
        console.print()
        console.print(_files(found, selection))
    for quirk in found.quirks:
        console.print(f"\nNote: {quirk}", markup=False, soft_wrap=True)
    here = present(found, selection.folder)
    missing = [archive.file for archive in found.archives if archive.file not in here]
    if any(found.archive(file).access == "manual" for file in missing):
        console.print()
        console.print(by_hand(found, missing, selection.folder), markup=False, soft_wrap=True)
    elif missing:
        console.print(f"\nTo get it: snn data prepare {name}", markup=False, soft_wrap=True)


def _rows(found: Info, selection: Selection) -> Iterator[tuple[str, str]]:
    yield "title", found.title
    yield "licence", found.licence
    yield "citation", found.citation
    yield "home page", found.homepage
    yield "size", found.size
    yield "items", ", ".join(f"{count:,} {split}" for split, count in found.samples.items())
    for reading, counts in found.counts.items():
        said = ", ".join(f"{count:,} {split}" for split, count in counts.items())
        yield f"items, {reading}", said
    yield "classes", "" if found.classes is None else str(found.classes)
    yield "sensor", "" if found.sensor is None else f"{found.sensor[0]} x {found.sensor[1]}"
    yield "formats", ", ".join(found.formats)
    yield "access", found.access if found.archives else ""
    yield "files", fetched(found, selection.folder)
    yield "cache", cached(found, selection.folder)


def _files(found: Info, selection: Selection) -> object:
    here = present(found, selection.folder)
    shown = table("file", "bytes", "access", "here", "md5", "sha256")
    for archive in found.archives:
        size = "" if archive.bytes is None else readable_size(archive.bytes)
        cells = (archive.file, size, archive.access, "yes" if archive.file in here else "no")
        add(shown, (*cells, archive.md5 or "", (archive.sha256 or "")[:16]))
    return shown


def _plain(found: Info, selection: Selection) -> dict[str, object]:
    here = present(found, selection.folder)
    return {
        **asdict(found),
        "access": found.access,
        "folder": str(selection.folder),
        "present": here,
        "cache": cached(found, selection.folder),
        "instructions": by_hand(found, [a.file for a in found.archives], selection.folder)
        if found.archives
        else "",
    }
