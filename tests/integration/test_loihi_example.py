"""The example of Loihi: from training to the simulated file, with not one spike lost."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "loihi_dvs_gesture"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no examples beside these tests")


@pytest.fixture
def example(monkeypatch):
    spec = importlib.util.spec_from_file_location("loihi_example", FOLDER / "run.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def accuracies(report: str) -> tuple[str, str]:
    return re.search(r"network ([0-9.]+%), simulator ([0-9.]+%)", report).groups()


def test_no_spike_is_lost(example, tmp_path, capsys):
    recipe = tmp_path / "small.toml"
    recipe.write_text(
        f'extends = "{FOLDER / "drawn.toml"}"\n'
        "data = { count = 12 }\n"
        "model = { channels = [4, 4, 4] }\n"
    )
    words = ["--recipe", str(recipe), "--out", str(tmp_path / "out"), "--epochs", "1"]
    parity = example.main(words)
    assert (parity.policy, parity.mismatches, parity.ok) == ("exact", 0, True)
    # 16 steps of 12 items of all layers, and the last once more as what comes out.
    neurons = 4 * (32 * 32 + 2 * 16 * 16 + 2 * 8 * 8 + 4 * 4) + 6
    assert parity.bins == 16 * 12 * (neurons + 6)
    report = (tmp_path / "out" / "report.md").read_text()
    network, simulator = accuracies(report)
    assert network == simulator
    assert "latency: 7 steps; wraps 0, saturations 0" in report
    assert "| conv3.neuron | 256 |" in report
    assert "## Quantisation" in report
    assert (tmp_path / "out" / "network.net").is_file()
    assert capsys.readouterr().out.endswith(f"wrote {tmp_path / 'out' / 'report.md'}\n")


@pytest.mark.slow
def test_recordings_of_the_layout_of_dvs_gesture(example, tmp_path):
    root = os.environ.get("SNN_TEST_DATA")
    if not root or not (Path(root) / "dvsgesture_like").is_dir():
        pytest.skip("SNN_TEST_DATA names no folder with dvsgesture_like")
    data = str(Path(root) / "dvsgesture_like")
    parity = example.main(["--data", data, "--out", str(tmp_path), "--epochs", "2"])
    assert parity.ok
    network, simulator = accuracies((tmp_path / "report.md").read_text())
    assert network == simulator
