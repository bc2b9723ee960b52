from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from snncore.hookspecs import API, hookimpl
from snncore.registry import Registry, Source, installed, using

Declare = Callable[..., Source]

_spec = importlib.util.spec_from_file_location(
    "toy_chip", Path(__file__).with_name("chip") / "toy.py"
)
assert _spec is not None
assert _spec.loader is not None
_toy = importlib.util.module_from_spec(_spec)
# Dataclasses look their module up.
sys.modules[_spec.name] = _toy
_spec.loader.exec_module(_toy)


@pytest.fixture
def toy() -> types.ModuleType:
    """The module with the example chip."""
    return _toy


@pytest.fixture
def plugin() -> Declare:
    """Makes a plugin source from ``(kind, name, target)`` rows."""

    def make(
        name: str, *rows: tuple[str, str, str], version: str = "1.0", api: int | None = API
    ) -> Source:
        module = types.ModuleType(name.replace("-", "_"))
        if api is not None:
            module.API = api

        @hookimpl
        def snn_components(register):
            for kind, component, target in rows:
                register(kind, component, target, summary=f"{component} of {name}")

        module.snn_components = snn_components
        return Source(name, version, lambda: module)

    return make


@pytest.fixture
def core_registry() -> Iterator[Registry]:
    """The core's own components only."""
    core = next(iter(installed()))
    with using(Registry([core])) as registry:
        yield registry
