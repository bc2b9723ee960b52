"""The kits over every plugin, and over every installed component whose kind has one.

Left out are components for which a test of their plugin's default suite adopts the kit.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import snncore
from snncore.config import numeric_parameters
from snncore.errors import SnnError
from snncore.kinds import KINDS
from snncore.registry import Component
from snncore.testing.plugin import PluginConformance

PLUGINS = Path(__file__).parents[2] / "plugins"


def adopted() -> set[tuple[str, str]]:
    """Kits and components of the test classes in the plugins' own tests."""
    texts = [path.read_text() for path in PLUGINS.glob("*/tests/**/test_*.py")]
    texts = [text for text in texts if "pytestmark = pytest.mark.slow" not in text]
    pattern = re.compile(r'^class \w+\((\w+)\):\n    component = "([^"]+)"$', re.MULTILINE)
    return {found for text in texts for found in pattern.findall(text)}


def kit_of(kind: str) -> type | None:
    target = KINDS[kind].kit
    if target is None:
        return None
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def variants_of(component: Component) -> list[dict[str, Any]] | None:
    """The defaults, and each number that may be None once (soft reset); None if it says itself."""
    try:
        target = snncore.get(component.kind, component.qualified)
        parameters = snncore.info(component.kind, component.qualified).parameters
        numeric = numeric_parameters(target)
    except SnnError:
        # Its tests report it; collecting the others goes on.
        return None
    if component.kind != "neuron" or "variants" in getattr(target, "conformance", {}):
        return None
    optional = [p.name for p in parameters if p.name in numeric and p.type.endswith("or None")]
    return [{}, *({name: None} for name in optional)]


def adopt() -> None:
    """One test class per component, named after it."""
    elsewhere = adopted()
    for component in snncore.components():
        kit = kit_of(component.kind)
        if kit is None or (kit.__name__, component.qualified) in elsewhere:
            continue
        body: dict[str, Any] = {"component": component.qualified, "__module__": __name__}
        variants = variants_of(component)
        if variants is not None:
            body["variants"] = variants
        name = f"Test[{component.kind} {component.qualified}]"
        globals()[name] = type(name, (kit,), body)
    for plugin in snncore.plugins():
        if plugin.status != "disabled":
            name = f"Test[plugin {plugin.name}]"
            body = {"distribution": plugin.name, "__module__": __name__}
            globals()[name] = type(name, (PluginConformance,), body)


adopt()
