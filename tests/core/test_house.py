"""Rules of the house that a machine can check."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(
    not (ROOT / "plugins").is_dir(), reason="checks the repository, and this is no checkout of it"
)


def sources() -> list[Path]:
    return [
        path
        for folder in (ROOT / "snncore", *sorted((ROOT / "plugins").glob("*/src")))
        for path in sorted(folder.rglob("*.py"))
        if "templates" not in path.parts
    ]


def test_files_are_short():
    long = {
        str(p.relative_to(ROOT)): n
        for p in sources()
        if (n := len(p.read_text().splitlines())) > 400
    }
    assert long == {}


# Lines of what may grow by itself; kits and templates are lent to others and not counted.
ROOMS = {
    "chip": 2000,
    "cli": 2500,
    "graph": 2500,
    "kernels": 7500,
    "monitor": 2400,
    "quantize": 1900,
    "testing": None,
    "scaffold": None,
}


def test_the_core_is_small():
    lines = dict.fromkeys((*ROOMS, "rest"), 0)
    for path in sources():
        if path.is_relative_to(ROOT / "snncore"):
            room = path.relative_to(ROOT / "snncore").parts[0]
            lines[room if room in ROOMS else "rest"] += len(path.read_text().splitlines())
    most = {**ROOMS, "rest": 4000}
    assert {room: n for room, n in lines.items() if n > (most[room] or n)} == {}


def test_files_are_named_by_what_they_define():
    vague = {"utils.py", "util.py", "common.py", "helpers.py", "misc.py", "base.py"}
    assert [str(p) for p in sources() if p.name in vague] == []


def test_every_distribution_is_typed():
    packages = [
        ROOT / "snncore",
        *(p.parent for p in (ROOT / "plugins").glob("*/src/*/_plugin.py")),
    ]
    assert [str(p) for p in packages if not (p / "py.typed").is_file()] == []


def test_every_plugin_has_its_papers():
    for project in sorted((ROOT / "plugins").iterdir()):
        for name in ("pyproject.toml", "README.md", "CHANGELOG.md", "tests"):
            assert (project / name).exists(), f"{project.name} lacks {name}"


@pytest.fixture
def linted(tmp_path):
    """Copies the sources, plants a line, and runs the import contracts on the copy."""
    shutil.copytree(ROOT / "snncore", tmp_path / "snncore")
    for package in (ROOT / "plugins").glob("*/src/*"):
        if package.is_dir() and (package / "_plugin.py").exists():
            shutil.copytree(package, tmp_path / package.name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    def lint(file: str = "", line: str = "") -> subprocess.CompletedProcess[str]:
        if file:
            with (tmp_path / file).open("a") as source:
                source.write(line)
        return subprocess.run(
            [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
        )

    return lint


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("snncore/config.py", "\nimport snn_neurons\n", "the core knows no plugin"),
        (
            "snn_neurons/lif.py",
            "\ndef f():\n    import snn_datasets\n",
            "plugins know nothing of each other",
        ),
        ("snncore/step.py", "\nfrom snncore import neuron\n", "the rooms of the core"),
        (
            "snn_neurons/_plugin.py",
            "\ndef f():\n    import torch\n",
            "what lists components imports no torch",
        ),
        (
            "snn_neurons/lif.py",
            "\nfrom snncore import _plugin\n",
            "plugins use public modules of the core",
        ),
    ],
)
def test_a_planted_import_is_caught(linted, file, line, contract):
    ran = linted(file, line)
    assert ran.returncode == 1
    assert f"{contract} BROKEN" in ran.stdout


def test_the_contracts_hold_and_see_the_copy(linted):
    ran = linted()
    assert ran.returncode == 0, ran.stdout
    assert "5 kept, 0 broken" in ran.stdout
