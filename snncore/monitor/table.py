"""Reports as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Group


class Report:
    """A report that prints as a table, in colour where rich prints it."""

    def columns(self) -> Sequence[str]:
        """The head; columns after the first are numbers."""
        raise TypeError(f"{type(self).__name__} must define columns")

    def cells(self) -> Iterable[Sequence[object]]:
        """One row per layer."""
        raise TypeError(f"{type(self).__name__} must define cells")

    def notes(self) -> Iterable[str]:
        """What a reader of the numbers must know."""
        return ()

    def __rich__(self) -> Group:
        """The table, with the notes below."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for i, column in enumerate(self.columns()):
            table.add_column(column, justify="right" if i else "left", overflow="fold")
        for row in self.cells():
            table.add_row(*map(str, row))
        return Group(table, *map(Text, self.notes()))

    def __str__(self) -> str:
        from rich.console import Console

        console: Any = Console(width=10_000, highlight=False, color_system=None)
        with console.capture() as capture:
            console.print(self)
        return "\n".join(line.rstrip() for line in capture.get().splitlines())


def short(number: float) -> str:
    """A count or an amount in three or four digits.

    Example:
        >>> short(0), short(950), short(1234567)
        ('0', '950', '1.235 M')
    """
    for power, unit in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if abs(number) >= 10**power:
            return f"{number / 10**power:.4g} {unit}"
    return f"{number:.4g}"
