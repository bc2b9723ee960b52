"""``snn list``."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Annotated, Any

import typer

from snncore import registry
from snncore.cli.console import add, print_json, stdout, table
from snncore.registry import Component, Plugin


def list_(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="Only this kind, as 'neuron'.")
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List components and plugins; nothing of them is imported."""
    found = registry.components(kind)
    plugins = registry.plugins()
    if json:
        print_json(as_data(found, plugins))
        return
    console = stdout()
    console.print(_components(found))
    if not found:
        console.print(f"nothing of kind {kind} is installed" if kind else "nothing is installed")
    broken = [plugin for plugin in plugins if plugin.status != "ok"]
    if broken:
        console.print()
        console.print(_broken(broken))


def as_data(found: list[Component], plugins: list[Plugin]) -> dict[str, Any]:
    """What ``snn list --json`` prints. Keys are only ever added; ``schema`` counts breaks."""
    return {
        "schema": 1,
        "components": [{**asdict(c), "qualified": c.qualified} for c in found],
        "plugins": [
            {key: value for key, value in asdict(plugin).items() if key != "traceback"}
            for plugin in plugins
        ],
    }


def _components(found: list[Component]) -> Any:
    shown = table("kind", "name", "provider", "version", "summary")
    # A short name that two plugins claim is of no use to the reader.
    claims = Counter((c.kind, c.name) for c in found)
    last = ""
    for c in found:
        name = c.name if claims[c.kind, c.name] == 1 else c.qualified
        also = f" ({', '.join(c.aliases)})" if c.aliases else ""
        add(
            shown, (c.kind if c.kind != last else "", name + also, c.provider, c.version, c.summary)
        )
        last = c.kind
    return shown


def _broken(plugins: list[Plugin]) -> Any:
    shown = table("plugin", "version", "status", "why")
    for plugin in plugins:
        why = (
            f"{plugin.stage}: {plugin.error} ('snn doctor' shows the traceback)"
            if plugin.status == "failed"
            else "SNN_DISABLE_PLUGINS"
        )
        add(shown, (plugin.name, plugin.version, plugin.status.upper(), why))
    return shown
