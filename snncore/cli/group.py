"""The commands of ``snn``: a table of import strings, imported when called."""

from __future__ import annotations

import difflib
import pkgutil
import platform
from collections.abc import Mapping
from importlib import metadata
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from snncore import registry
from snncore.cli.failure import CommandFailed, exit_code, show
from snncore.errors import SnnError
from snncore.registry import Command

_CORE = "snncore"

_ALL = (
    Command("list", "snncore.cli.listing:list_", "List components and plugins.", _CORE),
    Command("info", "snncore.cli.info:info", "Show one component and its parameters.", _CORE),
    Command("doctor", "snncore.cli.doctor:doctor", "Examine plugins and this machine.", _CORE),
    Command("new", "snncore.cli.new:new", "Write the scaffold of a plugin.", _CORE),
    Command("check", "snncore.cli.check:check", "Run the conformance kits on a plugin.", _CORE),
    Command("explain", "snncore.cli.explain:explain", "Say which backend runs each layer.", _CORE),
    Command("profile", "snncore.cli.profile:profile", "Show what each layer costs.", _CORE),
    Command("export", "snncore.cli.export:export", "Write a network for a chip.", _CORE),
    Command("simulate", "snncore.cli.simulate:simulate", "Run a network as a chip does.", _CORE),
    Command("verify", "snncore.cli.verify:verify", "Compare a chip with its network.", _CORE),
    Command("plot", "snncore.cli.plot:app", "Draw a component as a picture.", _CORE),
    Command("cache", "snncore.cli.cache:app", "Show or clear compiled kernels.", _CORE),
)

BUILT_IN: Mapping[str, Command] = MappingProxyType({command.name: command for command in _ALL})

# What `snn train` answers on a machine without snn-train.
_HOMES = {
    "train": "snn-train",
    "eval": "snn-train",
    "data": "snn-datasets",
    "convert": "snn-ann2snn",
}


def table() -> dict[str, list[Command]]:
    """Every word that may follow ``snn``, with the commands that claim it.

    A built-in command hides a plugin's; ``provider/name`` always reaches the plugin's.
    """
    found = {name: [command] for name, command in BUILT_IN.items()}
    for command in registry.active().commands:
        if command.name not in BUILT_IN:
            found.setdefault(command.name, []).append(command)
    return found


def load(command: Command) -> Any:
    """Imports a command and makes it callable by Typer.

    Raises: CommandFailed naming the plugin when the target cannot be imported.
    """
    try:
        target = pkgutil.resolve_name(command.target)
    except (Exception, SystemExit) as error:  # the boundary towards third-party code
        raise CommandFailed(
            f"command {command.name!r} of plugin {command.provider} cannot be imported: "
            f"{type(error).__name__}: {error}; 'snn doctor' shows the traceback"
        ) from error
    if isinstance(target, typer.Typer):
        made = typer.main.get_command(target)
        made.params = [p for p in made.params if p.name not in _COMPLETION]
    else:
        app = typer.Typer(add_completion=False)
        app.command(command.name)(target)
        made = typer.main.get_command(app)
    made.name = command.name
    return made


_COMPLETION = ("install_completion", "show_completion")


class LazyGroup(TyperGroup):
    """Lists commands by their help texts and imports the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, built-in commands first."""
        return list(table())

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        """A stub that carries the help text."""
        claims = table().get(cmd_name, [])
        if not claims:
            return None
        panel = None if cmd_name in BUILT_IN else "Commands of plugins"
        if len(claims) == 1:
            text = claims[0].help
        else:
            text = f"AMBIGUOUS: say {' or '.join(f'{c.provider}/{c.name}' for c in claims)}."
        return TyperCommand(cmd_name, help=text, rich_help_panel=panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command itself, imported."""
        context: typer.Context = ctx
        word, *rest = args
        claims = [
            command
            for command in registry.active().commands
            if word == f"{command.provider}/{command.name}"
        ] or table().get(word, [])
        if len(claims) == 1:
            return word, load(claims[0]), rest
        if claims:
            names = " or ".join(f"'snn {c.provider}/{c.name}'" for c in claims)
            context.fail(f"several plugins bring a command {word!r}; say {names}")
        if context.resilient_parsing:
            return None, None, rest
        context.fail(_unknown(word))

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; an error of the platform is printed without traceback."""
        try:
            return super().invoke(ctx)
        except SnnError as error:
            show(error)
            raise typer.Exit(exit_code(error)) from error


def _unknown(word: str) -> str:
    text = f"there is no command {word!r}"
    near = difflib.get_close_matches(word, table(), n=2)
    if near:
        return f"{text}; did you mean {' or '.join(map(repr, near))}?"
    states = {plugin.name: plugin for plugin in registry.active().plugins}
    home = _HOMES.get(word)
    if home is not None and home not in states:
        return f"{text}; it comes with {home}: pip install {home}"
    broken = [name for name, plugin in states.items() if plugin.status != "ok"]
    if broken:
        return f"{text}; not loaded: {', '.join(broken)} ('snn doctor' says why)"
    return f"{text}; 'snn --help' lists the commands"


app = typer.Typer(
    cls=LazyGroup,
    invoke_without_command=True,
    help="Spiking deep learning, every part of it a plugin.",
    epilog="Exit codes: 0 fine, 1 a check or the work failed, 2 wrong usage. "
    "SNN_DEBUG=1 shows the traceback of an error.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print_version()
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    version: bool = typer.Option(
        False, "--version", help="Show the version.", callback=_version, is_eager=True
    ),
) -> None:
    if ctx.invoked_subcommand is None:
        print_help()


def command() -> Any:
    """The whole command line, as Typer runs it."""
    return typer.main.get_command(app)


def print_help() -> None:
    """Prints the page of ``snn --help``."""
    whole = command()
    text = whole.get_help(typer.Context(whole, info_name="snn"))
    if text:
        typer.echo(text)


def print_version() -> None:
    """Prints the versions of the core and of Python."""
    try:
        version = metadata.version(_CORE)
    except metadata.PackageNotFoundError:
        version = "(not installed)"
    typer.echo(f"{_CORE} {version}, Python {platform.python_version()}")
