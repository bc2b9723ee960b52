from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from snn_train import TrainingError, load_network, train

pytestmark = pytest.mark.slow


def curve(folder: Path) -> list[list[float]]:
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    keys = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "firing_rate")
    return [[float(row[key]) for key in keys] for row in rows]


def tables(root: Path, **run: Any) -> dict[str, Any]:
    return {
        "data": {"name": "digits"},
        "encoder": {"name": "constant_current", "T": 4},
        "model": {"name": "mlp", "hidden": [64], "neuron": {"name": "lif", "v_threshold": 0.3}},
        "optimizer": {"name": "sgd", "lr": 0.5, "momentum": 0.9, "schedule": "cosine"},
        # 1,438 items in steps of 96 leave a last step of 94: 47 for each of two processes.
        "train": {"epochs": 4, "batch_size": 48, "augment": {"shift": 0.5}, "preload": True},
        "run": {"root": str(root), "accelerator": "cpu", "threads": 1, **run},
    }


def test_two_processes_follow_one_with_the_doubled_batch(tmp_path: Path):
    one = train(tables(tmp_path, name="one"), ["train.batch_size=96"])
    two = train(tables(tmp_path, name="two", devices=2))
    first, second = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert first[-1][0] < 0.6 * first[0][0], "the network learns, so there is a curve to follow"
    for row, other in zip(first, second, strict=True):
        assert other == pytest.approx(row, abs=1e-5)
    assert two["test_accuracy"] == one["test_accuracy"]
    weights = load_network(tmp_path / "one").state_dict()
    for key, value in load_network(tmp_path / "two").state_dict().items():
        assert float((value - weights[key]).abs().max()) < 1e-4


def test_a_process_that_fails_is_named(tmp_path: Path):
    recipe = tables(tmp_path, name="bad", devices=2)
    recipe["optimizer"]["lr"] = 1e38
    with pytest.raises(TrainingError, match=r"process \d of the run failed: .*the loss is "):
        train(recipe)


def test_ctrl_c_stops_all_processes_and_resume_goes_on(tmp_path: Path):
    folder = tmp_path / "cut"
    script = (
        "import sys, json; from snn_train import train\n"
        "if __name__ == '__main__': train(json.loads(sys.argv[1]))"
    )
    path = tmp_path / "cut.py"
    path.write_text(script)
    recipe = tables(tmp_path, name="cut", devices=2)
    recipe["train"]["epochs"] = 60
    process = subprocess.Popen(
        [sys.executable, str(path), json.dumps(recipe)], stderr=subprocess.PIPE, text=True
    )
    metrics = folder / "metrics.csv"
    while process.poll() is None and not metrics.exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    ending = f"Interrupted: interrupted, and saved; to go on, type: snn train --resume {folder}"
    assert ending in errors, errors
    assert not (folder / "result.json").exists()
