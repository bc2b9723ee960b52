"""What the registry keeps of plugins and components."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Source:
    """Where a plugin comes from; ``load`` imports and returns its module."""

    name: str
    version: str
    load: Callable[[], object]


@dataclass(frozen=True)
class Component:
    """One registered component; ``target`` is imported by :meth:`Registry.get` alone."""

    kind: str
    name: str
    target: str
    provider: str
    version: str
    summary: str
    aliases: tuple[str, ...] = ()

    @property
    def qualified(self) -> str:
        """``provider/name``, which is never ambiguous."""
        return f"{self.provider}/{self.name}"


@dataclass(frozen=True)
class Command:
    """One command of ``snn``."""

    name: str
    target: str
    help: str
    provider: str


@dataclass(frozen=True)
class Check:
    """One check of ``snn doctor``."""

    name: str
    run: Callable[[], Any]
    provider: str


@dataclass(frozen=True)
class Plugin:
    """One plugin that was found, and how far it came."""

    name: str
    version: str
    status: Literal["ok", "failed", "disabled"]
    stage: Literal["load", "declare"] | None = None
    error: str = ""
    traceback: str = ""


@dataclass(frozen=True)
class Failure:
    """A component whose target could not be imported."""

    component: Component
    error: str
    traceback: str
