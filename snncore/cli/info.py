"""``snn info``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass
from typing import Annotated, Any

import typer

from snncore import config, registry
from snncore.cli.console import add, print_json, stdout, table
from snncore.config import Parameter


def info(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="As 'neuron'.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="As 'lif' or 'snn-neurons/lif'.")],
    *,
    params: Annotated[bool, typer.Option("--params", help="The parameters alone.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show one component: summary, provider, equation, source, docstring and parameters."""
    found = config.info(kind, name)
    component = found.component
    if json:
        print_json(
            {
                "schema": 1,
                **asdict(component),
                "qualified": component.qualified,
                "doc": found.doc,
                "equation": found.equation,
                "source": found.source,
                "parameters": [asdict(parameter) for parameter in found.parameters],
            }
        )
        return
    console = stdout()
    facts = table("", "")
    facts.show_header = False
    rows = (
        (component.kind, component.qualified),
        ("summary", component.summary),
        ("provider", component.provider),
        ("version", component.version),
        ("target", component.target),
        ("aliases", ", ".join(component.aliases)),
        ("equation", found.equation),
        ("source", found.source),
        *_facts(registry.get(component.kind, component.qualified)),
    )
    for key, value in rows:
        if value:
            add(facts, (key, value))
    console.print(facts)
    if found.doc and not params:
        console.print()
        console.print(found.doc, markup=False)
    if found.parameters or params:
        console.print()
        console.print(_parameters(found.parameters))


def _facts(target: Any) -> Iterator[tuple[str, str]]:
    """Texts of the record ``info`` that a dataset's class may carry: licence, citation, size."""
    record = getattr(target, "info", None)
    if is_dataclass(record):
        for entry in fields(record):
            value = getattr(record, entry.name)
            if isinstance(value, str):
                yield entry.name, value


def _parameters(parameters: tuple[Parameter, ...]) -> Any:
    shown = table("parameter", "type", "range", "default")
    for p in parameters:
        add(shown, (p.name, p.type, p.range, "(required)" if p.required else repr(p.default)))
    return shown
