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


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    recipe = {
        "data": {"name": "digits"},
        "encoder": {"name": "constant_current", "T": 2},
        "model": {"name": "mlp", "hidden": [16]},
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
