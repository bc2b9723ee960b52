"""The core's commands on a run of snn-train: they take the weights that it trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from snncore.cli.group import app
from snncore.cli.weights import open_trained

snn_train = pytest.importorskip("snn_train")
pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    recipe = {
        "data": {"name": "digits"},
        "encoder": {"name": "poisson", "T": 2},
        "model": {"name": "mlp", "hidden": [16], "readout": "rate"},
        "optimizer": {"name": "adam", "lr": 0.05},
        "train": {"epochs": 1, "validation": 0.2},
        "run": {"root": str(root), "name": "tiny"},
    }
    with pytest.MonkeyPatch.context() as patch:
        # Drawing takes longer than this run.
        patch.setattr("snn_train.training.write_report", lambda *args: None)
        snn_train.train(recipe)
    return root / "tiny"


def test_a_run_gives_its_trained_network(run: Path) -> None:
    ours = open_trained(str(run), {}).state_dict()
    theirs = snn_train.load_network(run).state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    fresh = open_trained(str(run), {}, untrained=True).state_dict()
    assert not all(torch.equal(ours[key], fresh[key]) for key in ours)


def test_commands_run_it(run: Path) -> None:
    words = ["profile", str(run), "--repeats", "1", "--steps", "2", "--rate", "0.5", "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["input"] == [2, 1, 1, 8, 8]


def test_it_reaches_a_chip(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("snn_lava")
    file = tmp_path / "net.net"
    chip = ("--chip", "loihi2", "--json")
    result = CliRunner().invoke(app, ["export", str(run), "--out", str(file), *chip])
    assert result.exit_code == 0, result.output
    simulated = [
        CliRunner().invoke(app, ["simulate", str(what), "--rate", "0.4", *chip])
        for what in (run, file)
    ]
    assert simulated[0].stdout == simulated[1].stdout
    rows = json.loads(simulated[0].stdout)["rows"]
    assert [row["layer"] for row in rows] == ["neuron1", "out_neuron", "output"]
    assert rows[0]["spikes"] > 0
    words = ["verify", str(run), "--rate", "0.4", "--policy", "exact", *chip]
    compared = json.loads(CliRunner().invoke(app, words).stdout)
    # Every value, whatever the latency; the few that differ are what 8 bits cost.
    assert compared["bins"] == 16 * 4 * (16 + 10 + 10)
    assert compared["mismatches"] < 0.05 * compared["bins"]
