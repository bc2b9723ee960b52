"""Finds plugins, lists what they declare, and imports a component when it is asked for.

Three boundaries, each isolated: *load* (import the plugin module), *declare* (run its hooks),
*resolve* (import one component's target). A failure at any of them is kept with its traceback and
hurts no other plugin.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Literal

import pluggy

from snncore.errors import (
    AmbiguousComponent,
    PluginLoadError,
    UnknownComponent,
)
from snncore.hookspecs import API, ENTRY_POINT_GROUP, PROJECT, PluginSpec
from snncore.kinds import KINDS

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


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


@dataclass
class _Declared:
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


class Registry:
    """The components, commands and checks of a set of plugins.

    Args:
        sources: plugins in the order in which they are loaded.
        disabled: names that are not loaded; ``"*"`` stands for all but the core.
        strict: re-raise the first failure instead of keeping it.
    """

    def __init__(
        self, sources: Iterable[Source], *, disabled: Iterable[str] = (), strict: bool = False
    ) -> None:
        self.plugins: list[Plugin] = []
        self.components: list[Component] = []
        self.commands: list[Command] = []
        self.checks: list[Check] = []
        self.failures: dict[str, Failure] = {}
        blocked = set(disabled)
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(PluginSpec)
        for source in sources:
            if source.name != PROJECT and blocked & {source.name, "*"}:
                self.plugins.append(Plugin(source.name, source.version, "disabled"))
                continue
            self._add(source, strict)

    def _add(self, source: Source, strict: bool) -> None:
        stage: Literal["load", "declare"] = "load"
        declared = _Declared(source.name, source.version)
        try:
            if any(plugin.name == source.name for plugin in self.plugins):
                raise PluginLoadError(f"a plugin named {source.name!r} is loaded already")
            module = source.load()
            _check_api(source.name, module)
            stage = "declare"
            self._declare(module, declared)
        except (Exception, SystemExit) as error:  # whatever it raises must hurt nobody else
            if strict:
                raise PluginLoadError(
                    f"plugin {source.name!r} failed to {stage}: {_line(error)}"
                ) from error
            self.plugins.append(
                Plugin(
                    source.name,
                    source.version,
                    "failed",
                    stage,
                    _line(error),
                    traceback.format_exc(),
                )
            )
            return
        self.plugins.append(Plugin(source.name, source.version, "ok"))
        self.components += declared.components
        self.commands += declared.commands
        self.checks += declared.checks

    def _declare(self, module: object, declared: _Declared) -> None:
        manager = self._manager
        manager.register(module, name=declared.plugin)
        try:
            # Otherwise a misspelt hook name is silently ignored.
            manager.check_pending()
            offers = {
                "snn_components": ("register", declared.register),
                "snn_commands": ("register_command", declared.register_command),
                "snn_doctor": ("report", declared.report),
            }
            for hook, (argument, value) in offers.items():
                for implementation in getattr(manager.hook, hook).get_hookimpls():
                    # One implementation at a time: a hook call is all-or-nothing.
                    if implementation.plugin is module:
                        accepted = {argument: value} if implementation.argnames else {}
                        implementation.function(**accepted)
        except Exception:
            manager.unregister(module)
            raise

    def find(self, kind: str, name: str) -> Component:
        """The component called ``name``, ``alias`` or ``provider/name``.

        Raises:
            UnknownComponent: nothing of that kind and name; the text lists near names, plugins
                that failed, and what to install.
            AmbiguousComponent: several providers have the short name.
        """
        if kind not in KINDS:
            raise UnknownComponent(f"unknown kind {kind!r}{_near(kind, KINDS)}")
        of_kind = [c for c in self.components if c.kind == kind]
        provider, slash, short = name.rpartition("/")
        found = [
            c
            for c in of_kind
            if short in (c.name, *c.aliases) and (not slash or c.provider == provider)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(c.qualified for c in found)
            raise AmbiguousComponent(f"{kind} {name!r} is ambiguous; say one of {names}")
        raise UnknownComponent(self._missing(kind, name, of_kind))

    def _missing(self, kind: str, name: str, of_kind: Sequence[Component]) -> str:
        qualified = "/" in name
        known = {
            word: None
            for c in of_kind
            for word in ((c.qualified,) if qualified else (c.name, *c.aliases))
        }
        lines = [f"unknown {kind} {name!r}{_near(name, known)}"]
        home = KINDS[kind].home
        states = {plugin.name: plugin for plugin in self.plugins}
        if home not in states:
            lines.append(f"{home} holds most components of this kind: pip install {home}")
        for plugin in self.plugins:
            if plugin.status == "failed":
                lines.append(f"plugin {plugin.name} failed to {plugin.stage}: {plugin.error}")
            elif plugin.status == "disabled":
                lines.append(f"plugin {plugin.name} is disabled by SNN_DISABLE_PLUGINS")
        if len(lines) == 1:
            lines.append(f"'snn list {kind}' shows what is installed")
        return "; ".join(lines)

    def get(self, kind: str, name: str) -> Any:
        """Imports and returns the component: a class, or what its kind registers.

        Raises: as :meth:`find`; PluginLoadError when the target cannot be imported.
        """
        component = self.find(kind, name)
        try:
            return _import(component.target)
        except Exception as error:  # the boundary towards third-party code
            self.failures[component.qualified] = Failure(
                component, _line(error), traceback.format_exc()
            )
            raise PluginLoadError(
                f"{kind} {component.qualified} cannot be loaded: "
                f"importing {component.target!r} raised {_line(error)}"
            ) from error

    def of_class(self, cls: type) -> Component | None:
        """The component that registers ``cls``, if any; imports nothing."""
        target = f"{cls.__module__}:{cls.__qualname__}"
        return next((c for c in self.components if c.target == target), None)


def _import(target: str) -> Any:
    module, _, path = target.partition(":")
    value: Any = importlib.import_module(module)
    for part in path.split("."):
        value = getattr(value, part)
    return value


def _check_api(name: str, module: object) -> None:
    api = getattr(module, "API", None)
    if not isinstance(api, int):
        raise PluginLoadError(f"{name} declares no API; write 'API = {API}' in its plugin module")
    if api > API:
        raise PluginLoadError(f"{name} needs snncore API {api}, have {API}: upgrade snncore")
    if api < API:
        raise PluginLoadError(f"{name} is made for snncore API {api}, have {API}: upgrade {name}")


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _near(word: str, words: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(words), n=3)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _core() -> Source:
    try:
        version = metadata.version(PROJECT)
    except metadata.PackageNotFoundError:
        version = "unknown"
    return Source(PROJECT, version, lambda: importlib.import_module("snncore._plugin"))


def installed() -> Iterator[Source]:
    """The core, then every installed distribution with an entry point of our group, by name."""
    yield _core()
    entries = metadata.entry_points(group=ENTRY_POINT_GROUP)
    for entry in sorted(entries, key=lambda entry: entry.dist.name if entry.dist else entry.name):
        name = entry.dist.name if entry.dist else entry.name
        if name != PROJECT:
            yield Source(name, entry.dist.version if entry.dist else "unknown", entry.load)


def discover() -> Registry:
    """A registry of all that is installed, under the ``SNN_*_PLUGINS`` variables."""
    blocked = os.environ.get("SNN_DISABLE_PLUGINS", "")
    return Registry(
        installed(),
        disabled=[name.strip() for name in blocked.split(",") if name.strip()],
        strict=os.environ.get("SNN_STRICT_PLUGINS", "") not in ("", "0"),
    )


_active: Registry | None = None


def active() -> Registry:
    """The registry that lookups use; discovered at the first question."""
    global _active
    if _active is None:
        _active = discover()
    return _active


def refresh() -> None:
    """Forgets what was discovered, so that a plugin installed meanwhile is seen (notebooks)."""
    global _active
    importlib.invalidate_caches()
    _active = None


@contextmanager
def using(registry: Registry) -> Generator[Registry]:
    """Makes ``registry`` the active one inside a ``with`` block (tests)."""
    global _active
    before = _active
    _active = registry
    try:
        yield registry
    finally:
        _active = before


def components(kind: str | None = None) -> list[Component]:
    """All components, or those of one kind, sorted by kind and name. Imports none of them.

    Raises: UnknownComponent for a kind that does not exist.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownComponent(f"unknown kind {kind!r}{_near(kind, KINDS)}")
    found = [c for c in active().components if kind in (None, c.kind)]
    order = list(KINDS)
    return sorted(found, key=lambda c: (order.index(c.kind), c.name, c.provider))


def get(kind: str, name: str) -> Any:
    """The component's class. See :meth:`Registry.find` for names and errors."""
    return active().get(kind, name)


def plugins() -> list[Plugin]:
    """Every plugin that was found, with its status and, if it failed, the error."""
    return list(active().plugins)


def label(obj: object) -> str:
    """How error texts name an object's class: ``provider/name`` if registered, else the class."""
    cls = obj if isinstance(obj, type) else type(obj)
    component = active().of_class(cls)
    return component.qualified if component else cls.__name__
