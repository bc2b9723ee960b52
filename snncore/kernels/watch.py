"""The places that a walk has read, so that a later call sees at a glance whether one changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import is_
from typing import Any


class Watch:
    """Readings and what they gave.

    Values are compared by identity: what is set anew to an equal value counts as changed, and
    the content that is then computed tells that it is the same.
    """

    def __init__(self) -> None:
        self._single: list[tuple[Callable[[], Any], Any]] = []
        self._rows: list[tuple[Callable[[], tuple[Any, ...]], tuple[Any, ...]]] = []
        self._facts: list[tuple[Callable[[], Any], Any]] = []

    def entry(self, table: Mapping[str, Any], name: str) -> Any:
        """Watches one name of a namespace, whether it is there or not; what it is now."""
        return self.reading(partial(table.get, name))

    def attribute(self, owner: Any, name: str) -> Any:
        """Watches one attribute; what it is now."""
        return self.reading(partial(getattr, owner, name, None))

    def reading(self, read: Callable[[], Any]) -> Any:
        """Watches the object that a call gives; what it is now."""
        found = read()
        self._single.append((read, found))
        return found

    def row(self, read: Callable[[], tuple[Any, ...]]) -> tuple[Any, ...]:
        """Watches objects and their number; what they are now."""
        found = read()
        self._rows.append((read, found))
        return found

    def fact(self, read: Callable[[], Any]) -> Any:
        """Watches something that is compared by value; what it is now."""
        found = read()
        self._facts.append((read, found))
        return found

    def holds(self) -> bool:
        """Whether everything is as it was."""
        for read, old in self._single:
            if read() is not old:
                return False
        for read, row in self._rows:
            now = read()
            if len(now) != len(row) or not all(map(is_, now, row)):
                return False
        return all(read() == old for read, old in self._facts)
