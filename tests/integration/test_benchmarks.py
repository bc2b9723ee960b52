"""The benchmarks run and fill their tables; what the numbers are is no matter of tests."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from snncore.kernels import build

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason="no benchmarks beside these tests"),
    pytest.mark.skipif(build.compiler() is None, reason="they need a C++ compiler"),
]
ONCE = ("--repeats", "1", "--seconds", "0")
OURS = ("--only", "cpp", "eager")
SCRIPTS = {
    "lif_multistep": (
        *(*ONCE, *OURS, "--steps", "3", "--sizes", "128", "--tuned"),
        *("--peaks", *["3x128"] * (sys.platform == "linux"), "--alone", "3x2^6"),
    ),
    "complex_neurons": (
        *(*ONCE, *OURS, "--steps", "2", "--sizes", "256", "--neurons", "alif"),
        "learned_threshold",
    ),
    "recurrent": (*ONCE, *OURS, "--shapes", "4x3x20x70"),
    "compile_cost": ("--repeats", "1", "--neurons", "novel"),
    "saving": (*ONCE, "--neurons", "lif", "--shapes", "3", "128", "--peaks", "3", "128"),
}
Benchmark = Callable[..., dict[str, list[list[str]]]]


def tables(page: Path) -> dict[str, list[list[str]]]:
    """The rows under each heading, without the line below the head."""
    found: dict[str, list[list[str]]] = {}
    for section in page.read_text().split("\n## ")[1:]:
        heading, *lines = section.splitlines()
        rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
        found[heading] = [row for row in rows if row[0] != "---"]
    return found


@pytest.fixture
def benchmark(monkeypatch, tmp_path) -> Any:
    """Runs a script here; what it asks of processes of its own is answered here too, and fast."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(FOLDER))
    threads = torch.get_num_threads()

    def run(name: str, *words: str) -> dict[str, list[list[str]]]:
        def answered(
            script: str, request: Mapping[str, Any], environment: Mapping[str, str] | None = None
        ) -> Any:
            return json.loads(json.dumps(module.answer(json.loads(json.dumps(request)))))

        monkeypatch.setattr(importlib.import_module("measure"), "in_child", answered)
        module = importlib.import_module(name)
        page = tmp_path / "page.md"
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *words, "--out", str(page)])
        module.main()
        return tables(page)

    with torch.random.fork_rng():
        yield run
    torch.set_num_threads(threads)
    for name in set(sys.modules) - before:
        if str(FOLDER) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


def test_lif_over_many_steps(benchmark: Benchmark):
    found = benchmark("lif_multistep", *SCRIPTS["lif_multistep"])
    assert [row[:3] for row in found["Default settings"][1:]] == [
        ["forward", "3", "2^7"],
        ["forward+backward", "3", "2^7"],
    ]
    if sys.platform == "linux":
        assert [row[0] for row in found["Peak memory"][1:]] == ["forward", "forward+backward"]
    forward, backward, moved = map(float, found["Kernels alone"][1][2:5])
    assert forward > 0
    assert backward > 0
    # Input, spikes and the two gradients, with nothing kept.
    assert moved >= 16
    assert [row[1] for row in found["Agreement"][1:]] == ["0 of 131072"] * 2


def test_complex_neurons(benchmark: Benchmark):
    found = benchmark("complex_neurons", *SCRIPTS["complex_neurons"])
    for heading in ("Forward", "Forward+backward"):
        _, *rows = found[heading]
        assert [row[0].split(":")[0] for row in rows] == [
            "ALIF",
            "LIF with a learned threshold per channel",
        ]
        assert all(float(row[3]) > 0 for row in rows)


def test_recurrent(benchmark: Benchmark):
    found = benchmark("recurrent", *SCRIPTS["recurrent"])
    _, *rows = found["Default settings"]
    assert [row[:5] for row in rows] == [
        [mode, "4", "3", "20", "70"] for mode in ("forward", "forward+backward")
    ]
    assert all(float(row[5]) > 0 for row in rows)
    assert [row[2] for row in found["Agreement"][1:]] == ["0 of 840"] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
def test_saving(benchmark: Benchmark):
    found = benchmark("saving", *SCRIPTS["saving"])
    for rows in found.values():
        assert rows[1][:3] == ["lif", "3", "2^7"]
        assert all(float(cell) >= 0 for cell in rows[1][3:])


def test_compile_cost(benchmark: Benchmark):
    cold, warm = benchmark("compile_cost", *SCRIPTS["compile_cost"]).values()
    assert cold[0] == warm[0] == ["neuron", "first", "again", "another batch size"]
    assert [row[0] for row in (*cold[1:], *warm[1:])] == ["novel", "novel"]


def test_a_contender_with_other_spikes_ends_the_run(benchmark: Benchmark, monkeypatch):
    subjects = importlib.import_module("subjects")
    other = subjects.Contender(lambda: subjects.NEURONS["alif"].ours("eager"))
    monkeypatch.setitem(subjects.NEURONS["lif"].others, "norse", other)
    monkeypatch.setattr(importlib.import_module("peers"), "failures", lambda names: {})
    with pytest.raises(SystemExit, match=r"norse computes something else: \d+ of 131072 spikes"):
        benchmark("lif_multistep", "--only", "eager", "norse")


def test_a_contender_with_another_gradient_ends_the_run(benchmark: Benchmark, monkeypatch):
    subjects = importlib.import_module("subjects")
    lif = subjects.NEURONS["lif"]
    other = subjects.Contender(lambda: lif.ours("eager", detach=True), "full")
    monkeypatch.setitem(lif.others, "norse", other)
    monkeypatch.setattr(importlib.import_module("peers"), "failures", lambda names: {})
    with pytest.raises(SystemExit, match=r"norse has another gradient: it is \S+ off"):
        benchmark("lif_multistep", "--only", "eager", "norse")


def test_a_bad_shape_is_explained(benchmark: Benchmark, capsys):
    with pytest.raises(SystemExit):
        benchmark("lif_multistep", "--tuned", "16by4")
    assert "'16by4' should read TxN, such as 16x2^18" in capsys.readouterr().err


def test_sizes_must_fit_the_channels(benchmark: Benchmark, capsys):
    with pytest.raises(SystemExit):
        benchmark("complex_neurons", "--steps", "2", "--sizes", "100")
    assert "each N must be a multiple of 256, for batch and channels" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_by_itself(name, tmp_path):
    page = tmp_path / "page.md"
    command = [sys.executable, str(FOLDER / f"{name}.py"), *SCRIPTS[name], "--out", str(page)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == page.read_text().strip()
