"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Root: TypeAlias = Annotated[
    Path | None,
    typer.Option("--root", metavar="FOLDER", help="Folder of the files; SNN_DATA/NAME by default."),
]
Split: TypeAlias = Annotated[
    str | None, typer.Option("--split", metavar="SPLIT", help="One split; all by default.")
]
Protocol: TypeAlias = Annotated[
    str | None,
    typer.Option("--protocol", metavar="NAME", help="Which way of dividing train from test."),
]
Sets: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="A parameter of the dataset, or of a file's format."
    ),
]
FormatName: TypeAlias = Annotated[
    str | None,
    typer.Option("--format", metavar="NAME", help="Format of a file; found out by default."),
]
