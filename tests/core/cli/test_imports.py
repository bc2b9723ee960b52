"""`snn --help` and `snn list` import neither torch nor pydantic."""

from __future__ import annotations

import subprocess
import sys

import pytest

_HEAVY = "torch pydantic pydantic_core scipy sklearn matplotlib"

_PROBE = f"""
import sys
from snncore.cli import main
try:
    main(sys.argv[1:])
except SystemExit as stop:
    assert not stop.code, stop.code
heavy = [name for name in {_HEAVY!r}.split() if name in sys.modules]
print(len(sys.modules), *heavy, file=sys.stderr)
"""


@pytest.mark.parametrize(
    "words",
    [[], ["--help"], ["--version"], ["list"], ["list", "neuron"], ["list", "--json", "surrogate"]],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(words: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _PROBE, *words], capture_output=True, text=True, check=True
    )
    count, *heavy = ran.stderr.split()
    assert heavy == []
    # torch alone brings more than a thousand.
    assert int(count) < 700
    assert ran.stdout.strip()


def test_importing_the_core_imports_nothing_heavy() -> None:
    probe = f"import snncore, sys; print([n for n in {_HEAVY!r}.split() if n in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_listing_runs_no_component_and_no_command(make_plugin, install, snn) -> None:
    # Targets that do not exist: a listing that touched them would fail.
    install(
        make_plugin(
            "ghost",
            components=[("neuron", "phantom", "no_such_module:X")],
            commands=[("haunt", "no_such_module:run")],
        )
    )
    assert "phantom" in snn("list").output
    assert "haunt by ghost." in snn("--help").output
