"""What the package shows of what it registers: lazy names, the README's tables."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import snn_neurons
import snncore

OURS = [c for c in snncore.components() if c.provider == "snn-neurons"]
README = Path(__file__).parents[1] / "README.md"


def table(kind: str) -> dict[str, str]:
    """The README's rows of one kind: names as they are written, and summaries."""
    _, _, rest = README.read_text("utf-8").partition(f"\n| {kind} | |\n|---|---|\n")
    rows = re.findall(r"\A(?:\|.*\n)*", rest)[0].splitlines()
    return dict(row.strip("| ").split(" | ") for row in rows)


def test_declaring_imports_no_torch():
    code = (
        "import sys, snn_neurons, snn_neurons._plugin, snn_neurons.layers, snn_neurons.surrogates;"
        "dir(snn_neurons); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("component", OURS, ids=lambda c: f"{c.kind} {c.name}")
def test_every_registered_class_is_a_name_of_the_package(component):
    name = component.target.partition(":")[2]
    assert getattr(snn_neurons, name) is snncore.get(component.kind, component.qualified)
    assert name in dir(snn_neurons)


def test_the_names_are_the_registered_ones_and_sorted():
    assert list(snn_neurons._HOME) == sorted(c.target.partition(":")[2] for c in OURS)


@pytest.mark.parametrize(
    "module", ["", "attention", "decoders", "layers", "recurrent", "surrogates"]
)
def test_type_checkers_see_the_same_names(module):
    package = Path(snn_neurons.__file__).parent / module
    tree = ast.parse((package / "__init__.py").read_text("utf-8"))
    where = ".".join(filter(None, ("snn_neurons", module)))
    shown = {
        alias.asname: f"{node.module}".removeprefix(f"{where}.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(where)
        for alias in node.names
    }
    assert shown == importlib.import_module(where)._HOME


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'snn_neurons' has no attribute 'LeakyLIF'"):
        _ = snn_neurons.LeakyLIF


@pytest.mark.parametrize("kind", ["neuron", "surrogate", "encoder", "layer"])
def test_the_readme_lists_what_is_registered(kind):
    registered = {}
    for component in sorted(OURS, key=lambda c: c.name):
        if component.kind == kind:
            aliases = ", ".join(f"`{alias}`" for alias in component.aliases)
            name = f"`{component.name}`" + (f" ({aliases})" if aliases else "")
            registered[name] = component.summary
    assert list(table(kind).items()) == list(registered.items())


def test_all_kinds_have_a_table():
    assert {c.kind for c in OURS} == {"neuron", "surrogate", "encoder", "layer"}
