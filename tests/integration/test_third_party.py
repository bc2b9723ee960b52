"""A third party's story: scaffold, install, list, test, check; a broken twin; two of one name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]

_KINDS = (
    "neuron",
    "surrogate",
    "encoder",
    "layer",
    "quantizer",
    "monitor",
    "format",
    "dataset",
    "chip",
)


def _run(folder: Path, site: Path | None, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=_env(site), capture_output=True, text=True
    )


def _env(site: Path | None) -> dict[str, str]:
    """A user's shell: nothing of this test run but the plugins in ``site``."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST", "SNN_"))}
    return {**env, "OMP_NUM_THREADS": "1", **({"PYTHONPATH": str(site)} if site else {})}


def _install(workshop: Path, site: Path, *plugins: str) -> None:
    ran = _run(
        workshop,
        None,
        *("-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"),
        *("--disable-pip-version-check", "--target", str(site)),
        *(f"./{plugin}" for plugin in plugins),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders that `snn new` wrote; two of them edited."""
    folder = tmp_path_factory.mktemp("workshop")
    made = {f"my-{kind}s": kind for kind in _KINDS}
    for name, kind in {**made, "my-twins": "neuron", "other-neurons": "neuron"}.items():
        ran = _run(folder, None, "-m", "snncore", "new", kind, name)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    broken = folder / "my-twins/src/my_twins/_plugin.py"
    broken.write_text(broken.read_text() + "\nimport an_sdk_that_is_not_there\n")
    other = folder / "other-neurons/src/other_neurons/_plugin.py"
    other.write_text(other.read_text().replace('"other_neuron",', '"my_neuron",'))
    return folder


@pytest.fixture(scope="module")
def alone(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sound plugins are installed."""
    site = tmp_path_factory.mktemp("alone")
    _install(workshop, site, *(f"my-{kind}s" for kind in _KINDS))
    return site


@pytest.fixture(scope="module")
def crowd(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the neurons, their broken twin and a plugin with the same component are."""
    site = tmp_path_factory.mktemp("crowd")
    _install(workshop, site, "my-neurons", "my-twins", "other-neurons")
    return site


def _listed(folder: Path, site: Path | None) -> dict:
    ran = _run(folder, site, "-m", "snncore", "list", "--json")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("kind", _KINDS)
def test_the_list_shows_it(kind: str, workshop: Path, alone: Path) -> None:
    listed = _listed(workshop, alone)
    (plugin,) = [p for p in listed["plugins"] if p["name"] == f"my-{kind}s"]
    assert (plugin["status"], plugin["version"]) == ("ok", "0.1.0")
    (component,) = [c for c in listed["components"] if c["provider"] == f"my-{kind}s"]
    assert component["qualified"] == f"my-{kind}s/my_{kind}"
    assert component["kind"] == kind


@pytest.mark.parametrize("kind", _KINDS)
def test_its_generated_test_passes(kind: str, workshop: Path, alone: Path) -> None:
    ran = _run(workshop / f"my-{kind}s", alone, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout


@pytest.mark.parametrize("kind", _KINDS)
def test_check_is_green(kind: str, workshop: Path, alone: Path) -> None:
    ran = _run(workshop, alone, "-m", "snncore", "check", f"my-{kind}s", "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    verdicts = {v["label"]: v for v in json.loads(ran.stdout)["verdicts"]}
    assert set(verdicts) == {"plugin", f"{kind} my_{kind}"}
    assert {v["verdict"] for v in verdicts.values()} == {"PASSED"}
    assert all(v["passed"] >= 5 for v in verdicts.values())


def test_check_takes_its_folder(workshop: Path, alone: Path) -> None:
    ran = _run(workshop, alone, "-m", "snncore", "check", "./my-surrogates")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "my-surrogates 0.1.0 fits the contract" in ran.stdout


def test_check_finds_a_fault(workshop: Path, tmp_path: Path) -> None:
    _install(workshop, tmp_path, "my-surrogates")
    module = tmp_path / "my_surrogates/my_surrogate.py"
    module.write_text(module.read_text().replace("(1.0 - t * t)", "(1.0 - t)"))
    ran = _run(workshop, tmp_path, "-m", "snncore", "check", "my-surrogates")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "my-surrogates 0.1.0 does not fit the contract" in ran.stdout


def test_a_broken_twin_is_a_row_and_hurts_nobody(workshop: Path, crowd: Path) -> None:
    without, listed = _listed(workshop, None), _listed(workshop, crowd)
    (twin,) = [p for p in listed["plugins"] if p["name"] == "my-twins"]
    assert twin["status"] == "failed"
    assert "an_sdk_that_is_not_there" in twin["error"]
    assert "FAILED" in _run(workshop, crowd, "-m", "snncore", "list").stdout
    # Everything else is there, as before.
    mine = ("my-neurons", "other-neurons")
    others = [c for c in listed["components"] if c["provider"] not in mine]
    assert others == without["components"]
    check = _run(workshop, crowd, "-m", "snncore", "check", "my-twins")
    assert check.returncode == 1
    assert "plugin my-twins failed to load" in check.stderr
    doctor = _run(workshop, crowd, "-m", "snncore", "doctor")
    assert doctor.returncode == 1
    assert "ModuleNotFoundError: No module named 'an_sdk_that_is_not_there'" in doctor.stdout


def test_two_components_of_one_name_coexist(workshop: Path, crowd: Path) -> None:
    asked = _run(workshop, crowd, "-m", "snncore", "info", "neuron", "my_neuron")
    assert asked.returncode == 2
    assert "my-neurons/my_neuron" in asked.stderr
    assert "other-neurons/my_neuron" in asked.stderr
    probe = (
        "import snncore as snn\n"
        "made = [snn.build('neuron', f'{p}/my_neuron') for p in ('my-neurons', 'other-neurons')]\n"
        "print(*(type(neuron).__module__ for neuron in made))\n"
    )
    ran = _run(workshop, crowd, "-c", probe)
    assert ran.stdout.split() == ["my_neurons.my_neuron", "other_neurons.other_neuron"], ran.stderr
