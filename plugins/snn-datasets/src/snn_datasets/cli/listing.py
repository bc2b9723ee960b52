"""``snn data list``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import snncore
from snn_datasets.cli.options import Json
from snn_datasets.cli.selection import manifest
from snn_datasets.cli.state import cached, fetched
from snn_datasets.place import data_root
from snncore import registry
from snncore.cli.console import add, print_json, stdout, table
from snncore.errors import PluginLoadError


@dataclass(frozen=True)
class Row:
    """A dataset in the list; ``items`` is None where nobody can say before the files are read."""

    name: str
    title: str
    items: int | None = None
    size: str = ""
    access: str = ""
    licence: str = ""
    files: str = ""
    cache: str = ""


def list_(*, json: Json = False) -> None:
    """List all datasets: size, licence, how to get them, and what is here."""
    names = [component.name for component in registry.components("dataset")]
    rows = [
        _row(c.name if names.count(c.name) == 1 else c.qualified, c.qualified, c.summary)
        for c in registry.components("dataset")
    ]
    if json:
        print_json({"schema": 1, "root": str(data_root()), "datasets": [asdict(r) for r in rows]})
        return
    shown = table("name", "title", "items", "bytes", "access", "licence", "files", "cache")
    for row in rows:
        items = "" if row.items is None else f"{row.items:,}"
        cells = (row.title, items, row.size, row.access, row.licence, row.files, row.cache)
        add(shown, (row.name, *cells))
    console = stdout()
    console.print(shown)
    console.print(
        f"\nfiles and caches in {data_root()}; 'snn data info NAME' says more, 'snn data prepare "
        "NAME' gets one",
        markup=False,
        soft_wrap=True,
    )


def _row(name: str, qualified: str, summary: str) -> Row:
    try:
        target: Any = snncore.get("dataset", qualified)
    except PluginLoadError as error:
        return Row(name, summary, files=f"cannot be loaded: {error}")
    info = manifest(target)
    if info is None:
        return Row(name, summary)
    folder = data_root() / info.name
    return Row(
        name,
        info.title,
        sum(info.samples.values()) or None,
        info.size,
        info.access if info.archives else "",
        info.licence,
        fetched(info, folder),
        cached(info, folder),
    )
