"""What one plugin declares, checked row by row."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from snncore.kinds import KINDS
from snncore.registry.records import Check, Command, Component

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass
class Declaration:
    """What one plugin says, kept apart until all its hooks have returned."""

    plugin: str
    version: str
    components: list[Component] = field(default_factory=list[Component])
    commands: list[Command] = field(default_factory=list[Command])
    checks: list[Check] = field(default_factory=list[Check])

    def register(
        self, kind: str, name: str, target: str, *, summary: str, aliases: Sequence[str] = ()
    ) -> None:
        if kind not in KINDS:
            raise ValueError(
                f"{self.plugin} registers {name!r} under the unknown kind {kind!r}; "
                f"kinds are {', '.join(KINDS)}"
            )
        for word in (name, *aliases):
            if not _NAME.fullmatch(word):
                raise ValueError(f"{self.plugin}: {word!r} is no lower_snake name")
            if any(c.kind == kind and word in (c.name, *c.aliases) for c in self.components):
                raise ValueError(f"{self.plugin} registers {kind} {word!r} twice")
        if not _TARGET.fullmatch(target):
            raise ValueError(
                f"{self.plugin}: target {target!r} of {kind} {name!r} is not 'package.module:Name'"
            )
        self.components.append(
            Component(kind, name, target, self.plugin, self.version, summary, tuple(aliases))
        )

    def register_command(self, name: str, target: str, *, help: str) -> None:
        if not _TARGET.fullmatch(target):
            raise ValueError(
                f"{self.plugin}: target {target!r} of command {name!r} is not 'package.module:name'"
            )
        self.commands.append(Command(name, target, help, self.plugin))

    def report(self, name: str, check: Callable[[], Any]) -> None:
        self.checks.append(Check(name, check, self.plugin))
