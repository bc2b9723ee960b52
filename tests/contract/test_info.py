"""`snn info` on every installed component: what it is, its equation, source, shapes, parameters."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

import snncore
from snncore.cli.group import app
from snncore.kinds import KINDS

# The kinds that have equations; the others are files, networks and the like.
MATHEMATICAL = ("neuron", "surrogate", "encoder", "layer", "quantizer", "monitor")


@pytest.mark.parametrize(
    "component",
    snncore.components(),
    ids=lambda component: f"{component.kind} {component.qualified}",
)
def test_the_page_has_all_its_parts(component):
    ran = CliRunner().invoke(
        app, ["info", component.kind, component.qualified], env={"COLUMNS": "400"}
    )
    assert ran.exit_code == 0, ran.output
    known = snncore.info(component.kind, component.qualified)
    lines = [line.rstrip() for line in ran.stdout.splitlines()]
    # What has several lines goes on below its first.
    head = [line for line in lines[: lines.index("")] if not line.startswith(" ")]
    facts = dict(line.split(None, 1) for line in head)
    expected = {
        component.kind: component.qualified,
        "summary": component.summary,
        "provider": component.provider,
        "target": component.target,
        "aliases": ", ".join(component.aliases),
        "equation": known.equation,
        "source": known.source,
    }
    for fact, text in expected.items():
        assert facts.get(fact, "") == text, fact
    assert known.equation == "" or KINDS[component.kind].equations
    if component.kind in MATHEMATICAL:
        for part in ("equation", "source"):
            assert facts.get(part), f"the docstring of {component.target} has no {part}"
        assert any(line.startswith("Shape: ") for line in lines), f"{component.target} has no Shape"
    rows = lines[len(lines) - len(known.parameters) :]
    for row, parameter in zip(rows, known.parameters, strict=True):
        default = "(required)" if parameter.required else repr(parameter.default)
        assert row.startswith(f"{parameter.name} ")
        assert row.endswith(f" {default}")
        assert parameter.range in row
