"""Finds plugins, lists what they declare, and imports a component when it is asked for.

Three boundaries, each isolated: *load* (import the plugin module), *declare* (run its hooks),
*resolve* (import one component's target). A failure at any of them is kept with its traceback and
hurts no other plugin.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from snncore.errors import UnknownComponent
from snncore.hookspecs import ENTRY_POINT_GROUP, PROJECT
from snncore.kinds import KINDS
from snncore.registry.records import Check as Check
from snncore.registry.records import Command as Command
from snncore.registry.records import Component as Component
from snncore.registry.records import Failure as Failure
from snncore.registry.records import Plugin as Plugin
from snncore.registry.records import Source as Source
from snncore.registry.store import Registry as Registry
from snncore.registry.store import near


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
        raise UnknownComponent(f"unknown kind {kind!r}{near(kind, KINDS)}")
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
