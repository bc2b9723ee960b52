"""The conformance kit of plugins: what a distribution promises, whatever it registers."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import snncore
from snncore import registry
from snncore.errors import SnnError
from snncore.hookspecs import ENTRY_POINT_GROUP, PROJECT
from snncore.registry import Component, Plugin
from snncore.testing.conformance import Conformance

_SOURCED = (
    "neuron",
    "surrogate",
    "encoder",
    "loss",
    "learner",
    "quantizer",
    "dataset",
    "model",
    "converter",
)


class PluginConformance(Conformance):
    """An installed distribution with an entry point in ``snncore.plugins``, as tests.

    Attributes:
        distribution: its name.

    Example:
        >>> class TestPlugin(PluginConformance):
        ...     distribution = "snn-neurons"
    """

    kind = "plugin"
    distribution: str = ""

    @property
    def label(self) -> str:
        return f"plugin {self.distribution}"

    def test_loads(self) -> None:
        plugin = self._plugin()
        assert plugin.status == "ok", (
            f"{self.label} {plugin.status} at {plugin.stage}: {plugin.error}\n{plugin.traceback}"
        )

    def test_declaring_imports_no_torch(self) -> None:
        """Neither its package nor its plugin module, in a fresh interpreter."""
        heavy = _imported_with(self._module())
        assert not heavy, (
            f"{self.label}: importing {self._module()} imports {', '.join(heavy)}; keep imports "
            "inside the modules that registered strings name"
        )

    def test_every_component_resolves(self) -> None:
        failed: list[str] = []
        for component in self._components():
            try:
                snncore.get(component.kind, component.qualified)
            except SnnError as error:
                failed.append(str(error))
        assert not failed, f"{self.label}: " + "; ".join(failed)

    def test_every_component_is_described(self) -> None:
        """A one-line summary, a docstring, readable parameters; ``Source:`` where there is one."""
        faults: list[str] = []
        for component in self._components():
            faults += [f"{component.kind} {component.name} {text}" for text in _faults(component)]
        assert not faults, f"{self.label}: " + "; ".join(faults)

    def test_ships_py_typed(self) -> None:
        marker = self._package() / "py.typed"
        assert marker.is_file(), f"{self.label}: {marker} is missing; type checkers see no types"

    def test_caps_the_core(self) -> None:
        """The core may change before 1.0, so ``snncore>=0.1,<0.2``."""
        if self.distribution == PROJECT:
            pytest.skip("the core needs no version of itself")
        needs = [Requirement(line) for line in metadata.requires(self.distribution) or ()]
        ours = [need for need in needs if need.name == PROJECT and need.marker is None]
        assert ours, f"{self.label} does not depend on {PROJECT}; add it to its dependencies"
        capped = any(mark.operator in ("<", "<=", "==", "~=") for mark in ours[0].specifier)
        assert capped, f'{self.label} needs "{ours[0]}" without an upper bound; write >=0.1,<0.2'

    def test_imports_no_other_plugin(self) -> None:
        """What it needs of another plugin it asks the registry for."""
        own = self._module().partition(".")[0]
        others = {package for package in _plugin_packages() if package not in (own, PROJECT)}
        found = sorted(
            f"{file.name} imports {name}"
            for file in self._package().rglob("*.py")
            for name in _imports(file)
            if name.partition(".")[0] in others
            or (own != PROJECT and re.match(rf"{PROJECT}\.(\w+\.)*_", name))
        )
        assert not found, f"{self.label}: {'; '.join(found)}; use snncore.get or snncore.build"

    def _plugin(self) -> Plugin:
        found = [p for p in snncore.plugins() if p.name == self.distribution]
        names = ", ".join(p.name for p in snncore.plugins())
        assert found, f"{self.label} is not installed; there are {names}"
        return found[0]

    def _components(self) -> list[Component]:
        self.test_loads()
        return [c for c in registry.components() if c.provider == self.distribution]

    def _module(self) -> str:
        entries = metadata.entry_points(group=ENTRY_POINT_GROUP)
        found = [e.value for e in entries if e.dist and e.dist.name == self.distribution]
        assert found, f"{self.label} has no entry point in the group {ENTRY_POINT_GROUP}"
        return found[0]

    def _package(self) -> Path:
        spec = importlib.util.find_spec(self._module().partition(".")[0])
        assert spec is not None, f"{self.label}: {self._module()} is not importable"
        assert spec.origin is not None, f"{self.label}: {self._module()} lies in no package"
        return Path(spec.origin).parent


def _faults(component: Component) -> Iterator[str]:
    if not component.summary.strip() or "\n" in component.summary:
        yield "has no one-line summary"
    try:
        info = snncore.info(component.kind, component.qualified)
    except SnnError as error:
        yield f"cannot be described: {error}"
        return
    if not info.doc:
        yield "has no docstring"
    elif component.kind in _SOURCED and not info.source:
        yield "names no 'Source:' (paper and equation) in its docstring"


def _imported_with(module: str) -> list[str]:
    script = f"import {module}, sys; print(*({{'torch', 'pydantic'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, f"import {module} fails:\n{done.stderr}"
    return sorted(done.stdout.split())


def _plugin_packages() -> set[str]:
    return {
        entry.value.partition(".")[0] for entry in metadata.entry_points(group=ENTRY_POINT_GROUP)
    }


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
