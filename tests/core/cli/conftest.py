from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Sequence

import pytest
from typer.testing import CliRunner, Result

from snncore.cli.group import app
from snncore.hookspecs import API, hookimpl
from snncore.registry import Registry, Source, installed, using

Snn = Callable[..., Result]
MakePlugin = Callable[..., Source]
Install = Callable[..., Registry]


@pytest.fixture
def snn() -> Snn:
    """Runs ``snn`` with these words in this process."""

    def run(*words: str) -> Result:
        # Wide enough that no message is broken into lines.
        return CliRunner().invoke(app, list(words), env={"COLUMNS": "300"})

    return run


@pytest.fixture
def make_plugin() -> MakePlugin:
    """Makes a plugin source from rows of components, commands and checks."""

    def make(
        name: str,
        *,
        components: Sequence[tuple[str, str, str]] = (),
        commands: Sequence[tuple[str, str]] = (),
        checks: Sequence[tuple[str, Callable[[], object]]] = (),
        broken: str = "",
    ) -> Source:
        module = types.ModuleType(name.replace("-", "_"))
        module.API = API

        @hookimpl
        def snn_components(register):
            for kind, component, target in components:
                register(kind, component, target, summary=f"{component} of {name}")

        @hookimpl
        def snn_commands(register_command):
            for command, target in commands:
                register_command(command, target, help=f"{command} by {name}.")

        @hookimpl
        def snn_doctor(report):
            for check, function in checks:
                report(check, function)

        module.snn_components = snn_components
        module.snn_commands = snn_commands
        module.snn_doctor = snn_doctor

        def load() -> object:
            if broken:
                raise ImportError(broken)
            return module

        return Source(name, "1.0", load)

    return make


@pytest.fixture
def install() -> Iterator[Install]:
    """Makes the core and the given plugins the only ones."""
    contexts = []

    def make(*sources: Source, disabled: Sequence[str] = ()) -> Registry:
        registry = Registry([next(iter(installed())), *sources], disabled=disabled)
        context = using(registry)
        context.__enter__()
        contexts.append(context)
        return registry

    yield make
    for context in reversed(contexts):
        context.__exit__(None, None, None)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Makes an importable module out of names; gives back its name."""

    def make(name: str, **names: object) -> str:
        made = types.ModuleType(name)
        vars(made).update(names)
        monkeypatch.setitem(__import__("sys").modules, name, made)
        return name

    return make
