"""How a failed command says so: one paragraph on stderr and an exit code."""

from __future__ import annotations

import os
import traceback

from rich.text import Text

from snncore.cli.console import stderr
from snncore.errors import ComponentError, ConfigError, SnnError

FAILED = 1
WRONG_USAGE = 2


class WrongUsage(SnnError):
    """The words after ``snn`` ask for something that cannot be."""


class CommandFailed(SnnError):
    """The command ran, and its work could not be done."""


def exit_code(error: SnnError) -> int:
    """2 where other words after ``snn`` would help, else 1."""
    wrong = isinstance(error, (WrongUsage, ConfigError, ComponentError))
    return WRONG_USAGE if wrong else FAILED


def show(error: SnnError) -> None:
    """Prints the error's text; with ``SNN_DEBUG=1`` its traceback instead."""
    if os.environ.get("SNN_DEBUG", "") not in ("", "0"):
        traceback.print_exception(error)
        return
    stderr().print(Text.assemble(("Error: ", "bold red"), (str(error), "red")), soft_wrap=True)
