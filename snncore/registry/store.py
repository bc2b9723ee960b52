"""The registry itself: loads plugins, finds components, imports them on demand."""

from __future__ import annotations

import difflib
import importlib
import traceback
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import pluggy

from snncore.errors import AmbiguousComponent, PluginLoadError, UnknownComponent
from snncore.hookspecs import API, PROJECT, PluginSpec
from snncore.kinds import KINDS
from snncore.registry.declaration import Declaration
from snncore.registry.records import Check, Command, Component, Failure, Plugin, Source


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
        declared = Declaration(source.name, source.version)
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

    def _declare(self, module: object, declared: Declaration) -> None:
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
            raise UnknownComponent(f"unknown kind {kind!r}{near(kind, KINDS)}")
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
        lines = [f"unknown {kind} {name!r}{near(name, known)}"]
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
        except (Exception, SystemExit) as error:  # the boundary towards third-party code
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


def near(word: str, words: Iterable[str]) -> str:
    """``; did you mean ...?`` for an error text, or nothing."""
    near = difflib.get_close_matches(word, list(words), n=3)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
