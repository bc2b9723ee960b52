"""Deliberately wrong distributions: each promise of the kit catches the one that breaks it."""

from __future__ import annotations

import os
import sys
import textwrap

import pytest

import snncore
from snncore.testing.plugin import PluginConformance

DECLARE = """
from snncore.hookspecs import hookimpl

API = 1

@hookimpl
def snn_components(register):
    register("neuron", "plain", "snn_fake.plain:Plain", summary="{summary}")
"""

NEURON = '''
from snncore.neuron import Neuron

class Plain(Neuron):
    """{doc}"""

    def charge(self, x, v):
        return v + x
'''

DOC = "Integrates.\n\n    Source: nobody, Eq. 1."


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs the distribution ``snn-fake`` for the test and returns a kit that names it."""
    # A broken distribution is what some tests want to see reported, not raised.
    monkeypatch.delenv("SNN_STRICT_PLUGINS", raising=False)

    def install(
        *,
        declare: str = DECLARE.format(summary="integrates"),
        neuron: str = NEURON.format(doc=DOC),
        init: str = "",
        requires: str = "snncore>=0.1,<0.2",
        typed: bool = True,
    ) -> PluginConformance:
        package, info = tmp_path / "snn_fake", tmp_path / "snn_fake-1.0.dist-info"
        package.mkdir()
        info.mkdir()
        (package / "__init__.py").write_text(init)
        (package / "_plugin.py").write_text(declare)
        (package / "plain.py").write_text(neuron)
        if typed:
            (package / "py.typed").touch()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: snn-fake\nVersion: 1.0\nRequires-Dist: {requires}\n"
        )
        (info / "entry_points.txt").write_text(
            textwrap.dedent("""
            [snncore.plugins]
            snn-fake = snn_fake._plugin
            """)
        )
        monkeypatch.syspath_prepend(tmp_path)
        paths = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        snncore.refresh()
        return type("TestFake", (PluginConformance,), {"distribution": "snn-fake"})()

    yield install
    monkeypatch.undo()
    snncore.refresh()
    for name in ("snn_fake", "snn_fake._plugin", "snn_fake.plain"):
        sys.modules.pop(name, None)


PROMISES = [name for name in vars(PluginConformance) if name.startswith("test_")]


def test_a_right_distribution_passes(installed):
    kit = installed()
    for name in PROMISES:
        getattr(kit, name)()


@pytest.mark.parametrize(
    ("fault", "test", "text"),
    [
        ({"declare": "1 / 0"}, "loads", r"plugin snn-fake failed at load: ZeroDivisionError"),
        ({"init": "import torch"}, "declaring_imports_no_torch", r"_plugin imports torch"),
        ({"init": "import pydantic"}, "declaring_imports_no_torch", "imports pydantic"),
        ({"neuron": "1 / 0"}, "every_component_resolves", "raised ZeroDivisionError"),
        (
            {"declare": DECLARE.format(summary=" ")},
            "every_component_is_described",
            "neuron plain has no one-line summary",
        ),
        (
            {"neuron": NEURON.format(doc="Integrates.")},
            "every_component_is_described",
            "neuron plain names no 'Source:'",
        ),
        (
            {"neuron": NEURON.format(doc=DOC) + "    def __init__(self, *, tau: Missing): ...\n"},
            "every_component_is_described",
            "cannot be described: .*'Missing'",
        ),
        ({"typed": False}, "ships_py_typed", "py.typed is missing"),
        ({"requires": "torch"}, "caps_the_core", "does not depend on snncore"),
        ({"requires": "snncore>=0.1"}, "caps_the_core", "without an upper bound"),
        (
            {"neuron": "from snncore.kernels import _secret\n" + NEURON.format(doc=DOC)},
            "imports_no_other_plugin",
            "plain.py imports snncore.kernels._secret; use snncore.get",
        ),
    ],
)
def test_a_wrong_distribution_is_caught(installed, fault, test, text):
    kit = installed(**fault)
    with pytest.raises(AssertionError, match=text):
        getattr(kit, f"test_{test}")()


def test_another_plugin_imported_is_caught(installed, monkeypatch):
    kit = installed(neuron="def late():\n    import snn_other.thing\n")
    monkeypatch.setattr("snncore.testing.plugin._plugin_packages", lambda: {"snn_other"})
    with pytest.raises(AssertionError, match=r"plain\.py imports snn_other\.thing"):
        kit.test_imports_no_other_plugin()


def test_a_distribution_that_is_not_there_is_named():
    kit = type("TestNone", (PluginConformance,), {"distribution": "snn-none"})()
    with pytest.raises(AssertionError, match="plugin snn-none is not installed; there are snncore"):
        kit.test_loads()
    with pytest.raises(AssertionError, match=r"has no entry point in the group snncore\.plugins"):
        kit.test_ships_py_typed()
