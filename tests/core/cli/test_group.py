from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from snncore import registry
from snncore.cli import main
from snncore.cli.group import BUILT_IN, load
from snncore.errors import BackendError, PluginLoadError, UnknownComponent
from snncore.registry import Registry


def test_the_quick_path_prints_what_the_parser_prints(install, snn, capsys) -> None:
    install()
    for words in (["list", "surrogate"], ["list", "--json", "backend"], ["--version"]):
        main(words)
        assert capsys.readouterr().out.strip() == snn(*words).output.strip()


def test_help_lists_every_built_in_command(install, snn) -> None:
    install()
    for words in ([], ["--help"]):
        result = snn(*words)
        assert result.exit_code == 0
        for command in BUILT_IN.values():
            assert command.help in result.output
    assert "Exit codes: 0 fine, 1 a check or the work failed, 2 wrong usage" in result.output


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_command_has_a_help_page(name, install, snn) -> None:
    install()
    result = snn(name, "--help")
    assert result.exit_code == 0
    assert f"Usage: snn {name}" in result.output or f"{name} [OPTIONS]" in result.output


def test_a_plugin_command_is_listed_and_called(make_plugin, install, module, snn) -> None:
    def greet(name: str, times: int = 1) -> None:
        typer.echo(f"hello {name} " * times)

    module("greeting", greet=greet)
    install(make_plugin("polite", commands=[("greet", "greeting:greet")]))
    result = snn("greet", "world", "--times", "2")
    assert result.exit_code == 0
    assert "hello world hello world" in result.output
    assert "Commands of plugins" in snn("--help").output


def test_a_plugin_command_may_be_a_typer_app(make_plugin, install, module, snn) -> None:
    group = typer.Typer()

    @group.command()
    def fetch(name: str) -> None:
        typer.echo(f"fetched {name}")

    @group.command()
    def where() -> None:
        typer.echo("here")

    module("data_commands", app=group)
    install(make_plugin("snn-store", commands=[("data", "data_commands:app")]))
    assert "fetched mnist" in snn("data", "fetch", "mnist").output
    assert "here" in snn("data", "where").output
    assert "install-completion" not in snn("data", "--help").output


def test_a_command_that_cannot_be_imported(make_plugin, install, snn) -> None:
    install(make_plugin("snn-sick", commands=[("cough", "no_such_module:run")]))
    result = snn("cough")
    assert result.exit_code == 1
    assert result.output.strip() == (
        "Error: command 'cough' of plugin snn-sick cannot be imported: ModuleNotFoundError: "
        "No module named 'no_such_module'; 'snn doctor' shows the traceback"
    )


def test_two_plugins_with_one_command(make_plugin, install, module, snn) -> None:
    module("mine", run=lambda: typer.echo("ran mine"))
    module("yours", run=lambda: typer.echo("ran yours"))
    install(
        make_plugin("snn-mine", commands=[("go", "mine:run")]),
        make_plugin("snn-yours", commands=[("go", "yours:run")]),
    )
    result = snn("go")
    assert result.exit_code == 2
    assert (
        "several plugins bring a command 'go'; say 'snn snn-mine/go' or 'snn snn-yours/go'"
        in result.output
    )
    assert "AMBIGUOUS: say snn-mine/go or snn-yours/go." in snn("--help").output
    assert snn("snn-mine/go").output.strip() == "ran mine"
    assert snn("snn-yours/go").output.strip() == "ran yours"


def test_a_built_in_command_wins_over_a_plugin(make_plugin, install, module, snn) -> None:
    module("other", run=lambda: typer.echo("not the list"))
    install(make_plugin("snn-other", commands=[("list", "other:run")]))
    assert "surrogate" in snn("list").output
    assert "not the list" in snn("snn-other/list").output


def test_unknown_commands(make_plugin, install, snn) -> None:
    install()
    near = snn("lst")
    assert near.exit_code == 2
    assert "there is no command 'lst'; did you mean 'list'?" in near.output
    assert "it comes with snn-train: pip install snn-train" in snn("train").output
    assert "'snn --help' lists the commands" in snn("xyzzy").output
    install(make_plugin("snn-train", broken="no GPU SDK"))
    broken = snn("train")
    assert broken.exit_code == 2
    assert "not loaded: snn-train ('snn doctor' says why)" in broken.output


@pytest.mark.parametrize(
    ("error", "code"), [(BackendError("no compiler"), 1), (UnknownComponent("no such thing"), 2)]
)
def test_errors_of_the_platform_are_one_paragraph(
    error, code, make_plugin, install, module, snn, monkeypatch
) -> None:
    def fail() -> None:
        raise error

    module("failing", run=fail)
    install(make_plugin("snn-f", commands=[("fail", "failing:run")]))
    result = snn("fail")
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.strip() == f"Error: {error}"
    monkeypatch.setenv("SNN_DEBUG", "1")
    assert "Traceback" in snn("fail").stderr


def test_other_errors_keep_their_traceback(make_plugin, install, module, snn) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a bug, not a message")

    module("buggy", run=fail)
    install(make_plugin("snn-b", commands=[("bug", "buggy:run")]))
    assert isinstance(snn("bug").exception, ZeroDivisionError)


def test_wrong_words_of_a_command_exit_with_2(install, snn) -> None:
    install()
    assert snn("list", "--no-such-option").exit_code == 2
    assert snn("info").exit_code == 2


def test_exit_codes_reach_the_shell() -> None:
    def code(*words: str) -> int:
        return subprocess.run(
            [sys.executable, "-m", "snncore", *words], capture_output=True
        ).returncode

    assert code("--version") == 0
    assert code("list", "nonsense") == 2
    assert code("no-such-command") == 2


def test_a_strict_registry_fails_in_one_paragraph(monkeypatch, capsys) -> None:
    def discover() -> Registry:
        raise PluginLoadError("plugin 'snn-x' failed to load: ImportError: no SDK")

    monkeypatch.setattr(registry, "_active", None)
    monkeypatch.setattr(registry, "discover", discover)
    for words in (["list"], ["--help"], ["info", "neuron", "lif"], ["list", "--help"]):
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 1
        assert capsys.readouterr().err.strip() == (
            "Error: plugin 'snn-x' failed to load: ImportError: no SDK"
        )


def test_built_in_targets_exist() -> None:
    for command in BUILT_IN.values():
        assert load(command).name == command.name
