"""The wheels: what is in them, and that each works without the repository around it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from functools import cached_property
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Project:
    """One distribution of the repository."""

    folder: Path

    @cached_property
    def name(self) -> str:
        text = (self.folder / "pyproject.toml").read_text(encoding="utf-8")
        return tomllib.loads(text)["project"]["name"]

    @property
    def package(self) -> str:
        return self.name.replace("-", "_")

    @property
    def sources(self) -> Path:
        return self.folder if self.folder == ROOT else self.folder / "src"

    @property
    def tests(self) -> Path:
        return self.folder / ("tests/core" if self.folder == ROOT else "tests")


PROJECTS = [
    Project(ROOT),
    *(Project(path.parent) for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))),
]
OURS = {project.name: project for project in PROJECTS}
each = pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)


def _run(*words: str | Path, cwd: Path, **more: str) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST", "SNN_"))}
    if "SNN_TEST_DATA" in os.environ:
        env["SNN_TEST_DATA"] = os.environ["SNN_TEST_DATA"]
    # With CI hypothesis sets no deadlines and draws the same examples every time.
    env |= {"OMP_NUM_THREADS": "1", "PYTHONNOUSERSITE": "1", "CI": "1", **more}
    ran = subprocess.run([*map(str, words)], cwd=cwd, env=env, capture_output=True, text=True)
    assert ran.returncode == 0, f"{words}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of all distributions of the repository, built without an index."""
    folder = tmp_path_factory.mktemp("dist")
    _run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
        *("--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", folder),
        *(project.folder for project in PROJECTS),
        cwd=folder,
    )
    return folder


@pytest.fixture(scope="session")
def third_party(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Links to all that is installed here but our own distributions.

    A folder on the path and no site folder, so that ``.pth`` files of editable installs in it are
    not read either.
    """
    folder = tmp_path_factory.mktemp("third_party")
    own = {project.package for project in PROJECTS}
    for site in dict.fromkeys(path for path in sys.path if path.endswith("-packages")):
        for entry in Path(site).iterdir():
            name = re.split(r"[-.]", entry.name)[0]
            if name not in own and entry.suffix != ".pth" and not (folder / entry.name).exists():
                (folder / entry.name).symlink_to(entry)
    return folder


def _wheel(dist: Path, project: Project) -> zipfile.ZipFile:
    (path,) = dist.glob(f"{project.package}-*.whl")
    return zipfile.ZipFile(path)


def _metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


@each
def test_a_wheel_holds_its_package_and_nothing_else(project: Project, dist: Path) -> None:
    with _wheel(dist, project) as wheel:
        names = set(wheel.namelist())
    folders = {name.partition("/")[0] for name in names}
    assert len(folders) == 2
    assert project.package in folders
    for name in names:
        assert not {"tests", "plugins"} & set(Path(name).parts), name
    # Nothing is forgotten either: templates, indices, recipes, py.typed.
    package = project.sources / project.package
    expected = {
        str(path.relative_to(project.sources))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if name.startswith(f"{project.package}/")} == expected
    assert f"{project.package}/py.typed" in names


@each
def test_a_wheel_names_no_path_of_this_machine(project: Project, dist: Path) -> None:
    places = {str(ROOT), str(dist), sys.prefix, sys.base_prefix}
    places -= {"/", "/usr", "/usr/local"}
    with _wheel(dist, project) as wheel:
        for name in wheel.namelist():
            text = wheel.read(name).decode("utf-8", errors="ignore")
            assert not [place for place in places if place in text], name


@each
def test_metadata(project: Project, dist: Path) -> None:
    with _wheel(dist, project) as wheel:
        facts = _metadata(wheel)
    assert facts["Name"] == project.name
    assert facts["License-Expression"] == "Apache-2.0"
    assert facts["Requires-Python"] == ">=3.11"
    assert len(facts.get_payload()) > 100
    required = [Requirement(text) for text in facts.get_all("Requires-Dist", [])]
    for requirement in required:
        name = canonicalize_name(requirement.name)
        if name == "torch":
            assert str(requirement.specifier) == ">=2.6"
        if name in OURS and name != project.name and requirement.marker is None:
            # Before 1.0 every minor version may break.
            assert {mark.operator for mark in requirement.specifier} == {">=", "<"}
    if project.folder != ROOT:
        assert "snncore" in {requirement.name for requirement in required}


@pytest.fixture(scope="session")
def environment(dist: Path, third_party: Path, tmp_path_factory: pytest.TempPathFactory):
    """Makes an environment with one of our distributions and what it declares of the others."""
    made: dict[str, Path] = {}

    def make(project: Project) -> Path:
        if project.name in made:
            return made[project.name]
        folder = tmp_path_factory.mktemp(project.name)
        venv.create(folder, with_pip=False, symlinks=True)
        python = folder / "bin/python"
        site = _run(
            python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder
        )
        Path(site.strip(), "third_party.pth").write_text(f"{third_party}\n")
        _run(
            *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet"),
            *("--disable-pip-version-check", "--no-index", "--find-links", dist, project.name),
            cwd=folder,
        )
        made[project.name] = python
        return python

    return make


def _declared(project: Project, dist: Path) -> set[str]:
    """Our distributions that this one needs, directly or through another."""
    with _wheel(dist, project) as wheel:
        required = map(Requirement, _metadata(wheel).get_all("Requires-Dist", []))
        names = {r.name for r in required if r.marker is None and r.name in OURS}
    return {project.name}.union(*(_declared(OURS[name], dist) for name in names))


@each
def test_it_installs_alone_and_lists_its_parts(
    project: Project, dist: Path, environment, tmp_path: Path
) -> None:
    python = environment(project)
    listed = json.loads(_run(python, "-m", "snncore", "list", "--json", cwd=tmp_path))
    plugins = {plugin["name"]: plugin["status"] for plugin in listed["plugins"]}
    assert plugins == dict.fromkeys(_declared(project, dist), "ok")
    _run(python, "-m", "snncore", "doctor", "--resolve", cwd=tmp_path)
    probe = f"import {project.package} as p, sys; print(p.__file__, 'torch' in sys.modules)"
    place, torch = _run(python, "-c", probe, cwd=tmp_path).split()
    assert Path(place).is_relative_to(python.parents[1])
    assert torch == "False"


# What a wheel lacks shows in a test whatever its parameters; the default suite runs them all.
FEWER = """
def pytest_collection_modifyitems(config, items):
    cases = {}
    for item in items:
        name = getattr(item, "originalname", item.name)
        cases.setdefault((item.path, item.cls, name), []).append(item)
    kept = {item for every in cases.values() for item in (every[0], every[-1])}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]
"""


@each
def test_it_passes_its_own_tests(project: Project, environment, tmp_path: Path) -> None:
    """Of each test the first and the last of its parameters."""
    python = environment(project)
    copy = tmp_path / project.tests.relative_to(project.folder)
    shutil.copytree(
        project.tests, copy, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis")
    )
    # The settings are the repository's, the repository is not there.
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "conftest.py").write_text(FEWER, encoding="utf-8")
    # Tests of the texts that lie beside a package find them where they were.
    for name in ("README.md", "CHANGELOG.md"):
        if project.folder != ROOT and (project.folder / name).exists():
            shutil.copy(project.folder / name, tmp_path)
    _run(
        *(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow"),
        *("-c", tmp_path / "pyproject.toml", "--rootdir", tmp_path, copy),
        cwd=tmp_path,
        SNN_STRICT_PLUGINS="1",
    )
