"""The command line ``snn``. Importing this package imports nothing but the standard library."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs ``snn``.

    Exit codes: 0 fine, 1 a check or the work failed, 2 wrong usage.

    Args:
        arguments: words after ``snn``; those of the process by default.
    """
    from snncore.cli.failure import exit_code, show
    from snncore.errors import SnnError

    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        quick = _quick(words)
        if quick is not None:
            quick()
            return
        from snncore.cli.group import command

        command()(args=words, prog_name="snn")
    except SnnError as error:
        show(error)
        sys.exit(exit_code(error))


def _quick(words: list[str]) -> Callable[[], object] | None:
    """What needs no parser. Typer 0.29 and later imports pydantic to parse a single flag."""
    from snncore.cli import group, listing
    from snncore.kinds import KINDS

    if words in ([], ["--help"]):
        return group.print_help
    if words == ["--version"]:
        return group.print_version
    if words[:1] == ["list"]:
        kinds = [word for word in words[1:] if word in KINDS]
        flags = [word for word in words[1:] if word == "--json"]
        if len(kinds) <= 1 and len(flags) <= 1 and len(kinds) + len(flags) == len(words) - 1:
            return lambda: listing.list_(kinds[0] if kinds else None, json=bool(flags))
    return None
