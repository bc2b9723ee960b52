from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from snncore.hookspecs import API, hookimpl

CAUGHT = (AssertionError, pytest.fail.Exception, RuntimeError, TypeError, AttributeError)
"""How a kit's test ends when it catches something: its own text, or the component's error."""


@pytest.fixture
def adopt(isolated_registry) -> Iterator[Callable[..., Any]]:
    """Registers a class as ``mutants/mutant`` and returns a kit that has adopted it."""
    with ExitStack() as stack:

        def make(kit: type, target: type, **body: Any) -> Any:
            plugin = types.ModuleType("mutants")
            plugin.API = API

            @hookimpl
            def snn_components(register):
                path = f"{target.__module__}:{target.__qualname__}"
                register(kit.kind, "mutant", path, summary="wrong on purpose")
                for extra in body.pop("also", ()):
                    register(*extra, summary="wrong on purpose")

            plugin.snn_components = snn_components
            stack.enter_context(isolated_registry.plugin(plugin, name="mutants"))
            adopted = type("Adopted", (kit,), {"component": "mutants/mutant", **body})()
            for name, value in adopted.declared().items():
                setattr(adopted, name, value)
            return adopted

        yield make


@pytest.fixture
def caught() -> tuple[type[BaseException], ...]:
    return CAUGHT
