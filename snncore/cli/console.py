"""Where the commands print."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

# A pipe has no width: rows stay whole, so that grep finds what it looks for.
_PIPE_WIDTH = 10_000

STYLES = {
    "OK": "green",
    "PASSED": "green",
    "WARN": "yellow",
    "SKIPPED": "yellow",
    "DISABLED": "yellow",
    "FAIL": "bold red",
    "FAILED": "bold red",
}
"""Colours of the words that say how something went."""


def stdout() -> Console:
    """For results."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)


def stderr() -> Console:
    """For errors and notices."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else _PIPE_WIDTH, highlight=False)


def table(*columns: str) -> Table:
    """An empty table with a head; add rows with :func:`add`."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def add(to: Table, cells: Iterable[object]) -> None:
    """Adds a row of plain texts; a word of :data:`STYLES` gets its colour."""
    to.add_row(*(Text(str(cell), style=STYLES.get(str(cell), "")) for cell in cells))


def print_json(value: Any) -> None:
    """Prints plain data as JSON; what JSON cannot hold is shown as Python would."""
    sys.stdout.write(json.dumps(value, indent=2, default=repr) + "\n")
