"""``snn doctor``."""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from typing import Annotated

import typer

from snncore.cli import diagnosis, machine
from snncore.cli.console import add, print_json, stdout, table
from snncore.cli.diagnosis import Finding
from snncore.cli.failure import FAILED


def doctor(
    *,
    resolve: Annotated[bool, typer.Option("--resolve", help="Import every component.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Examine plugins and this machine; exit code 1 if something is broken."""
    findings = list(
        chain(
            machine.versions(),
            diagnosis.plugins(),
            diagnosis.requirements(),
            diagnosis.components(resolve),
            diagnosis.commands(),
            machine.processor(),
            machine.accelerators(),
            diagnosis.checks(),
        )
    )
    if json:
        print_json({"schema": 1, "findings": [asdict(finding) for finding in findings]})
    else:
        _print(findings)
    if any(finding.status == "FAIL" for finding in findings):
        raise typer.Exit(FAILED)


def _print(findings: list[Finding]) -> None:
    console = stdout()
    shown = table("", "", "status", "")
    last = ""
    for f in findings:
        section = f.section if f.section != last else ""
        said = f"{f.detail}; {f.advice}" if f.advice else f.detail
        add(shown, (section, f.name, f.status, said))
        last = f.section
    console.print(shown)
    for f in findings:
        if f.traceback:
            console.print(f"\n{f.section}: {f.name}", style="bold", markup=False)
            console.print(f.traceback.rstrip(), markup=False)
    counts = {s: sum(f.status == s for f in findings) for s in ("FAIL", "WARN")}
    console.print(f"\n{counts['FAIL']} failed, {counts['WARN']} warnings")
