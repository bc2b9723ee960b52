from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from snncore.cli import diagnosis, machine
from snncore.kernels import build


@pytest.fixture
def diagnose(snn) -> Callable[..., dict[str, dict]]:
    def run(*words: str, code: int) -> dict[str, dict]:
        result = snn("doctor", "--json", *words)
        assert result.exit_code == code, result.output
        data = json.loads(result.stdout)
        assert data["schema"] == 1
        return {finding["name"]: finding for finding in data["findings"]}

    return run


def test_a_healthy_house(install, diagnose, snn) -> None:
    install()
    found = diagnose(code=0)
    assert {"python", "system", "torch", "numpy", "CPU", "C++ compiler", "nvcc"} <= set(found)
    assert found["torch"]["detail"] == metadata.version("torch")
    assert found["python"]["detail"] == "{}.{}.{}".format(*sys.version_info)
    output = snn("doctor").output
    assert "0 failed" in output
    assert "Traceback" not in output


def test_failed_plugins_show_their_traceback(make_plugin, install, diagnose, snn) -> None:
    install(
        make_plugin("snn-broken", broken="vendor SDK is missing"),
        make_plugin("snn-off"),
        disabled=["snn-off"],
    )
    found = diagnose(code=1)
    broken = found["snn-broken 1.0"]
    assert broken["status"] == "FAIL"
    assert broken["detail"] == "failed to load: ImportError: vendor SDK is missing"
    assert "raise ImportError(broken)" in broken["traceback"]
    assert found["snn-off 1.0"]["status"] == "WARN"
    output = snn("doctor").output
    assert "Traceback (most recent call last)" in output
    assert "1 failed" in output


def test_resolve_imports_every_component(make_plugin, install, diagnose) -> None:
    rows = [("neuron", "ghost", "no_such_module:Ghost"), ("neuron", "real", "collections:Counter")]
    install(make_plugin("snn-g", components=rows))
    assert "neuron snn-g/ghost" not in diagnose(code=0)
    found = diagnose("--resolve", code=1)
    ghost = found["neuron snn-g/ghost"]
    assert ghost["status"] == "FAIL"
    assert "No module named 'no_such_module'" in ghost["detail"]
    assert "ModuleNotFoundError" in ghost["traceback"]
    assert "neuron snn-g/real" not in found


def test_commands(make_plugin, install, module, diagnose) -> None:
    module("runs", run=lambda: None)
    install(
        make_plugin("snn-a", commands=[("go", "runs:run"), ("list", "runs:run")]),
        make_plugin("snn-b", commands=[("go", "runs:run"), ("fine", "runs:run")]),
        make_plugin("snn-c", commands=[("cough", "no_such_module:run")]),
    )
    found = diagnose(code=1)
    assert found["snn go"]["status"] == "WARN"
    assert found["snn go"]["detail"] == "claimed by snn-a, snn-b"
    assert found["snn list"]["detail"] == "the built-in command hides the one of snn-a"
    assert found["snn list"]["advice"] == "type 'snn snn-a/list'"
    assert found["snn fine"]["status"] == "OK"
    assert found["snn cough"]["status"] == "FAIL"
    assert "no_such_module" in found["snn cough"]["traceback"]


def test_checks_of_plugins(make_plugin, install, diagnose) -> None:
    def broken() -> None:
        raise RuntimeError("the chip does not answer")

    def lacking() -> None:
        raise UserWarning("no SDK, export works without it")

    install(
        make_plugin(
            "snn-chip",
            checks=[
                ("chip", broken),
                ("SDK", lacking),
                ("folder", lambda: "/data"),
                ("quiet", lambda: None),
            ],
        )
    )
    found = diagnose(code=1)
    assert found["snn-chip: chip"]["status"] == "FAIL"
    assert found["snn-chip: chip"]["detail"] == "the chip does not answer"
    assert "SNN_DISABLE_PLUGINS=snn-chip" in found["snn-chip: chip"]["advice"]
    assert found["snn-chip: SDK"]["status"] == "WARN"
    assert found["snn-chip: folder"]["detail"] == "/data"
    assert found["snn-chip: quiet"]["status"] == "OK"


def test_requirements_that_are_not_met(make_plugin, install, monkeypatch) -> None:
    required = [
        "numpy>=1",
        "numpy>=999",
        "no-such-distribution>=1",
        "= broken",
        "pytest>=999; extra == 'testing'",
        "pytest>=999; python_version < '3'",
    ]
    monkeypatch.setattr(
        diagnosis.metadata, "requires", lambda name: required if name == "snn-r" else []
    )
    install(make_plugin("snn-r"))
    found = {finding.name: finding for finding in diagnosis.requirements()}
    have = metadata.version("numpy")
    assert found["snn-r"].status == "FAIL"
    assert found["snn-r"].detail == (
        f"snn-r requires numpy>=999 (have {have}), no-such-distribution>=1 (have nothing), "
        "'= broken' (no requirement that can be read)"
    )
    assert found["snncore"].status == "OK"


def test_a_missing_compiler_is_a_warning(monkeypatch) -> None:
    monkeypatch.setattr(build, "compiler", lambda: None)
    compiler = {f.name: f for f in machine.processor()}["C++ compiler"]
    assert (compiler.status, compiler.detail) == ("WARN", "not installed")
    assert "apt install g++" in compiler.advice


@pytest.fixture
def script(tmp_path: Path) -> Path:
    script = tmp_path / "tool"
    script.write_text("#!/bin/sh\necho mycc 1.2.3\n")
    script.chmod(0o755)
    return script


def test_the_compiler_of_the_kernels_is_shown(monkeypatch, script: Path) -> None:
    monkeypatch.setattr(build, "compiler", lambda: str(script))
    compiler = {f.name: f for f in machine.processor()}["C++ compiler"]
    assert (compiler.status, compiler.detail) == ("OK", f"{script}: mycc 1.2.3")
    script.write_text("#!/bin/sh\nexit 3\n")
    compiler = {f.name: f for f in machine.processor()}["C++ compiler"]
    assert (compiler.status, compiler.detail) == ("WARN", f"{script} --version fails")


def test_nvcc_that_does_not_work_is_not_called_missing(monkeypatch, script: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: str(script))
    found = {f.name: f for f in machine.accelerators()}["nvcc"]
    assert (found.status, found.detail) == ("OK", f"{script}: mycc 1.2.3")
    script.write_text("#!/bin/sh\nexit 3\n")
    found = {f.name: f for f in machine.accelerators()}["nvcc"]
    assert (found.status, found.detail) == ("WARN", f"{script} --version fails")


def test_a_machine_without_gpu_warns_of_nothing(monkeypatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert {f.status for f in machine.accelerators()} == {"OK"}


def test_a_gpu_without_cupy_warns(monkeypatch) -> None:
    import torch

    class Card:
        name, total_memory, major, minor = "Card 9000", 48 * 2**30, 9, 0

    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: Card)
    monkeypatch.setattr(machine.metadata, "version", absent)
    found = {f.name: f for f in machine.accelerators()}
    assert found["GPU 0"].detail == "Card 9000, 48 GiB, compute capability 9.0"
    assert found["CuPy"].status == "WARN"
    assert "snncore[cuda12]" in found["CuPy"].advice


def test_a_broken_torch_is_a_failure(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    torch = {f.name: f for f in machine.versions()}["torch"]
    assert torch.status == "FAIL"
    assert torch.traceback
    assert all(f.status != "FAIL" for f in [*machine.processor(), *machine.accelerators()])
