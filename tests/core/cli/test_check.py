from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import pytest

from snncore.cli import check, trial
from snncore.cli.failure import CommandFailed
from snncore.cli.trial import Adoption, Trial, Verdict, adoptions, run, source

_KIT = """
class Kit:
    component = ""
    def test_name(self):
        assert self.component
    def test_letter(self):
        assert self.component.startswith("a"), "must begin with an a"
    def test_rare(self):
        import pytest
        pytest.skip("not on this machine")
"""


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A kit that a pytest of its own can import."""
    (tmp_path / "toy_kit.py").write_text(_KIT)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)
    return "toy_kit:Kit"


@pytest.fixture
def adopted(monkeypatch: pytest.MonkeyPatch) -> list[list[Adoption]]:
    """What `snn check` asks for; every verdict is green."""
    asked: list[list[Adoption]] = []

    def fake(adopted: list[Adoption]) -> Trial:
        asked.append(adopted)
        return Trial(tuple(Verdict(a.label, 3, 0, 1, ()) for a in adopted), "3 passed")

    monkeypatch.setattr(trial, "run", fake)
    return asked


def test_the_test_file_adopts_every_kit() -> None:
    text = source([Adoption("a", "m.one:One", "plugin", "x"), Adoption("b", "m.two:Two", "n", "y")])
    tree = ast.parse(text)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assert [(c.name, ast.unparse(c.bases[0]), ast.unparse(c.body[0])) for c in classes] == [
        ("Test0", "One", "plugin = 'x'"),
        ("Test1", "Two", "n = 'y'"),
    ]
    assert text.startswith("from m.one import One\nfrom m.two import Two\n")


def test_kits_run_in_a_pytest_of_their_own(kit: str, monkeypatch) -> None:
    # The user's own options must not reach it.
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    good = Adoption("neuron abc", kit, "component", "abc")
    bad = Adoption("neuron xyz", kit, "component", "xyz")
    ran = run([good, bad])
    assert ran.verdicts == (
        Verdict("neuron abc", 2, 0, 1, ()),
        Verdict("neuron xyz", 1, 1, 1, ("test_letter",)),
    )
    assert [verdict.word for verdict in ran.verdicts] == ["PASSED", "FAILED"]
    assert "must begin with an a" in ran.output


def test_a_kit_that_cannot_be_imported() -> None:
    with pytest.raises(CommandFailed, match="the kits cannot be"):
        run([Adoption("x", "no_such_kit:Kit", "component", "x")])


def test_verdicts_of_kits_that_ran_nothing() -> None:
    assert Verdict("x", 0, 0, 5, ()).word == "SKIPPED"
    assert Verdict("x", 0, 0, 0, ()).word == "FAILED"


def test_which_kits_are_adopted(make_plugin, install) -> None:
    registry = install(
        make_plugin(
            "snn-x",
            components=[("neuron", "a", "m:A"), ("loss", "b", "m:B"), ("dataset", "c", "m:C")],
        )
    )
    mine = [c for c in registry.components if c.provider == "snn-x"]
    found = [(a.label, a.kit, a.attribute, a.value) for a in adoptions("snn-x", mine)]
    assert found == [
        ("plugin", "snncore.testing.plugin:PluginConformance", "distribution", "snn-x"),
        ("neuron a", "snncore.testing.neuron:NeuronConformance", "component", "snn-x/a"),
        ("dataset c", "snncore.testing.dataset:DatasetConformance", "component", "snn-x/c"),
    ]


def test_a_green_plugin(make_plugin, install, adopted, snn) -> None:
    install(make_plugin("snn-x", components=[("neuron", "a", "m:A")]))
    result = snn("check", "snn-x")
    assert result.exit_code == 0
    assert [a.label for a in adopted[0]] == ["plugin", "neuron a"]
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["neuron", "a", "PASSED", "3", "0", "1"] in rows
    assert "snn-x 1.0 fits the contract" in result.stdout
    data = json.loads(snn("check", "snn-x", "--json").stdout)
    assert (data["schema"], data["plugin"], data["green"]) == (1, "snn-x", True)
    assert data["verdicts"][1] == {
        "label": "neuron a",
        "passed": 3,
        "failed": 0,
        "skipped": 1,
        "failures": [],
        "verdict": "PASSED",
    }


def test_a_red_plugin(make_plugin, install, monkeypatch, snn) -> None:
    install(make_plugin("snn-x"))
    verdict = Verdict("plugin", 2, 1, 0, ("test_py_typed",))
    monkeypatch.setattr(trial, "run", lambda adopted: Trial((verdict,), "E  no py.typed"))
    result = snn("check", "snn-x")
    assert result.exit_code == 1
    assert "E  no py.typed" in result.stdout
    assert "plugin: test_py_typed" in result.stdout
    assert "snn-x 1.0 does not fit the contract" in result.stdout


def test_a_folder_means_its_distribution(make_plugin, install, adopted, snn, tmp_path) -> None:
    install(make_plugin("snn-x"))
    config = tmp_path / "pyproject.toml"
    config.write_text('[project]\nname = "SNN_X"\n')
    assert snn("check", str(tmp_path)).exit_code == 0
    config.write_text('[project]\nname = "snn-y"\n')
    result = snn("check", str(tmp_path))
    assert result.exit_code == 2
    assert f"the plugin snn-y of {tmp_path} is not installed" in result.stderr
    assert f'pip install -e "{tmp_path}[testing]"' in result.stderr
    config.write_text("[tool]\n")
    assert "gives no [project] name" in snn("check", str(tmp_path)).stderr
    config.unlink()
    assert "is no plugin's folder: it holds no pyproject.toml" in snn("check", str(tmp_path)).stderr


def test_unknown_failed_and_disabled_plugins(make_plugin, install, snn) -> None:
    install(
        make_plugin("snn-neurons"),
        make_plugin("snn-broken", broken="no SDK"),
        make_plugin("snn-off"),
        disabled=["snn-off"],
    )
    unknown = snn("check", "snn-neuron")
    assert unknown.exit_code == 2
    assert "no plugin 'snn-neuron' is installed; did you mean snn-neurons?" in unknown.stderr
    assert "there are snncore, snn-neurons" in snn("check", "xyzzy").stderr
    off = snn("check", "snn-off")
    assert off.exit_code == 2
    assert "plugin snn-off is disabled; unset SNN_DISABLE_PLUGINS to check it" in off.stderr
    broken = snn("check", "snn-broken")
    assert broken.exit_code == 1
    assert "plugin snn-broken failed to load: ImportError: no SDK" in broken.stderr


def test_without_pytest(make_plugin, install, monkeypatch, snn) -> None:
    install(make_plugin("snn-x"))
    monkeypatch.setattr(check, "find_spec", lambda name: None)
    result = snn("check", "snn-x")
    assert result.exit_code == 1
    assert 'snn check needs pytest: pip install "snncore[testing]"' in result.stderr
