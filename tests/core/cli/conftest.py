from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Sequence

import pytest
from torch import nn
from typer.testing import CliRunner, Result

import snncore
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


class Summing(snncore.Neuron):
    """What the toy chip runs."""

    def charge(self, x, v):
        return v + x


def chain(hidden: int = 6, *, v_reset: float | None = 0.0, named: bool = True) -> nn.Module:
    """Two layers of neurons; with a soft reset the toy chip refuses them."""
    net = nn.Sequential(
        nn.Flatten(),
        nn.Linear(8, hidden, bias=False),
        Summing(v_reset=v_reset),
        nn.Linear(hidden, 3, bias=False),
        Summing(v_reset=v_reset),
    )
    if named:
        net.in_shape = [2, 4]
    return net


@pytest.fixture
def deployed(make_plugin, install, module, toy, monkeypatch, tmp_path) -> Callable[..., None]:
    """Installs model ``chain``, chip ``toy`` and what else is given, in an empty folder."""

    def make(**chips: type) -> None:
        monkeypatch.chdir(tmp_path)
        module("deployed", chain=chain, Toy=toy.Toy, **chips)
        rows = [("chip", name, f"deployed:{name}") for name in chips]
        rows += [("chip", "toy", "deployed:Toy"), ("model", "chain", "deployed:chain")]
        install(make_plugin("snn-toy", components=rows))

    return make
