"""``snn check``."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from snncore import registry
from snncore.cli import trial
from snncore.cli.console import add, print_json, stderr, stdout, table
from snncore.cli.failure import FAILED, CommandFailed, WrongUsage
from snncore.cli.trial import Trial
from snncore.registry import Plugin


def check(
    plugin: Annotated[
        str, typer.Argument(metavar="DIST|PATH", help="An installed plugin, or its folder.")
    ],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run the conformance kits against a plugin and all its components."""
    found = find(plugin)
    if found.status == "failed":
        raise CommandFailed(
            f"plugin {found.name} failed to {found.stage}: {found.error}; 'snn doctor' shows "
            "the traceback"
        )
    if find_spec("pytest") is None:
        raise CommandFailed('snn check needs pytest: pip install "snncore[testing]"')
    components = [c for c in registry.components() if c.provider == found.name]
    with stderr().status(f"checking {found.name}"):
        ran = trial.run(trial.adoptions(found.name, components))
    green = all(verdict.word != "FAILED" for verdict in ran.verdicts)
    if json:
        rows = [{**asdict(verdict), "verdict": verdict.word} for verdict in ran.verdicts]
        print_json({"schema": 1, "plugin": found.name, "green": green, "verdicts": rows})
    else:
        _print(found, ran, green)
    if not green:
        raise typer.Exit(FAILED)


def find(word: str) -> Plugin:
    """The plugin that a distribution name or a plugin's folder means.

    Raises: WrongUsage when there is none, it is not installed, or it is disabled.
    """
    known = {_normal(plugin.name): plugin for plugin in registry.plugins()}
    is_folder = _normal(word) not in known and Path(word).is_dir()
    name = _name_in(Path(word)) if is_folder else word
    found = known.get(_normal(name))
    if found is None and is_folder:
        raise WrongUsage(
            f'the plugin {name} of {word} is not installed; type: pip install -e "{word}[testing]"'
        )
    if found is None:
        near = difflib.get_close_matches(_normal(name), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise WrongUsage(f"no plugin {name!r} is installed; {hint}")
    if found.status == "disabled":
        raise WrongUsage(f"plugin {found.name} is disabled; unset SNN_DISABLE_PLUGINS to check it")
    return found


def _name_in(folder: Path) -> str:
    path = folder / "pyproject.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"]
    except FileNotFoundError:
        raise WrongUsage(f"{folder} is no plugin's folder: it holds no pyproject.toml") from None
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise WrongUsage(f"{path} gives no [project] name: {error}") from None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _print(plugin: Plugin, ran: Trial, green: bool) -> None:
    console = stdout()
    if not green:
        console.print(ran.output.rstrip(), markup=False)
        console.print()
    shown = table("checked", "verdict", "passed", "failed", "skipped")
    for v in ran.verdicts:
        add(shown, (v.label, v.word, v.passed, v.failed, v.skipped))
    console.print(shown)
    failures = [f"  {v.label}: {name}" for v in ran.verdicts for name in v.failures]
    for line in failures:
        console.print(line, markup=False)
    word = "fits the contract" if green else "does not fit the contract"
    console.print(f"\n{plugin.name} {plugin.version} {word}", style="green" if green else "red")
