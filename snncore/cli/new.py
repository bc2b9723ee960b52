"""``snn new``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snncore.cli.console import stdout
from snncore.scaffold.name import SCAFFOLDED
from snncore.scaffold.plugin import create


def new(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"{' or '.join(SCAFFOLDED)}.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="As 'my-neurons' or 'snn-glif'.")],
    *,
    dir_: Annotated[
        Path, typer.Option("--dir", metavar="FOLDER", help="Where the new folder goes.")
    ] = Path(),
) -> None:
    """Write the scaffold of an installable plugin with one working component and its test."""
    folder = create(kind, name, dir_)
    console = stdout()
    console.print(f"wrote {folder}", markup=False)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        console.print(f"  {path.relative_to(folder)}", markup=False)
    console.print(f'next: pip install -e "{folder}[testing]" && snn check {name}', markup=False)
