"""Runs conformance kits in a pytest of its own and reads what came out."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from snncore.cli.failure import CommandFailed
from snncore.kinds import KINDS
from snncore.registry import Component

_PLUGIN_KIT = "snncore.testing.plugin:PluginConformance"
_ENDED = (0, 1)  # pytest: all passed, some failed


@dataclass(frozen=True)
class Adoption:
    """One kit adopted for one thing: a plugin, or one of its components."""

    label: str
    kit: str
    attribute: str
    value: str


@dataclass(frozen=True)
class Verdict:
    """How one adoption ended: tests by outcome, and the names of those that failed."""

    label: str
    passed: int
    failed: int
    skipped: int
    failures: tuple[str, ...]

    @property
    def word(self) -> str:
        """PASSED, FAILED, or SKIPPED where no test could run, as for data that are not here."""
        if self.failed or not self.passed + self.skipped:
            return "FAILED"
        return "PASSED" if self.passed else "SKIPPED"


@dataclass(frozen=True)
class Trial:
    """All verdicts, and what pytest printed."""

    verdicts: tuple[Verdict, ...]
    output: str


def adoptions(plugin: str, components: Sequence[Component]) -> list[Adoption]:
    """The kit of plugins, then the kit of each component whose kind has one."""
    found = [Adoption("plugin", _PLUGIN_KIT, "distribution", plugin)]
    for component in components:
        kit = KINDS[component.kind].kit
        if kit is not None:
            label = f"{component.kind} {component.name}"
            found.append(Adoption(label, kit, "component", component.qualified))
    return found


def run(adopted: Sequence[Adoption]) -> Trial:
    """Runs every kit.

    Raises: CommandFailed when pytest itself cannot run them.
    """
    with tempfile.TemporaryDirectory(prefix="snn-check-") as place:
        folder = Path(place)
        test, report = folder / "test_kits.py", folder / "report.xml"
        test.write_text(source(adopted), encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        words = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "--color=no"]
        words += ["-c", str(folder / "pytest.ini"), f"--junitxml={report}", str(test)]
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", *words],
            capture_output=True,
            text=True,
            env={k: v for k, v in os.environ.items() if k != "PYTEST_ADDOPTS"},
        )
        if ran.returncode not in _ENDED or not report.is_file():
            raise CommandFailed(f"the kits cannot be run:\n{ran.stdout}{ran.stderr}".rstrip())
        return Trial(tuple(verdicts(adopted, report.read_text(encoding="utf-8"))), ran.stdout)


def source(adopted: Sequence[Adoption]) -> str:
    """The text of a test file that adopts every kit."""
    imports = sorted({"from {} import {}".format(*a.kit.split(":")) for a in adopted})
    blocks = [
        f"class Test{i}({a.kit.partition(':')[2]}):\n    {a.attribute} = {a.value!r}\n"
        for i, a in enumerate(adopted)
    ]
    return "\n\n".join(["\n".join(imports) + "\n", *blocks])


def verdicts(adopted: Sequence[Adoption], report: str) -> list[Verdict]:
    """One verdict per adoption from a JUnit report of :func:`source`."""
    counts = [Counter[str]() for _ in adopted]
    failures: list[list[str]] = [[] for _ in adopted]
    for case in ElementTree.fromstring(report).iter("testcase"):
        word = case.get("classname", "").rpartition(".Test")[2]
        if not word.isdecimal():
            # A test file that cannot be collected belongs to no class.
            text = "".join(case.itertext()).strip()
            raise CommandFailed(f"the kits cannot be collected:\n{text}")
        outcome = _outcome(case)
        counts[int(word)][outcome] += 1
        if outcome == "failed":
            failures[int(word)].append(case.get("name", "?"))
    return [
        Verdict(a.label, c["passed"], c["failed"], c["skipped"], tuple(f))
        for a, c, f in zip(adopted, counts, failures, strict=True)
    ]


def _outcome(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"
