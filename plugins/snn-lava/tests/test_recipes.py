"""The shipped recipes are complete, and reach their accuracy on real recordings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

import snncore
from snncore.chip import parity, validate
from snncore.graph import trace

snn_train = pytest.importorskip("snn_train", reason="snn-train is not installed")
pytest.importorskip("snn_datasets", reason="snn-datasets is not installed")


def recordings(name):
    root = os.environ.get("SNN_TEST_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"SNN_TEST_DATA names no folder with {name}")
    return Path(root) / name


@pytest.mark.parametrize(
    ("recipe", "classes", "weights"),
    [
        ("n_mnist_loihi", 10, 16 * 2 * 9 + 16 * 16 * 4 + 32 * 16 * 9 + 32 * 32 * 4 + 32 * 64 * 10),
        ("loihi_dvs_gesture", 11, 32 * 2 * 9 + 2 * 32 * 32 * 9 + 3 * 32 * 32 * 4 + 32 * 16 * 11),
    ],
)
def test_a_recipe_is_of_a_network_that_the_chip_runs(recipe, classes, weights):
    table = dict(snn_train.load_recipe(recipe).tables["model"])
    net = snncore.from_spec("model", {**table, "in_shape": [2, 32, 32], "classes": classes})
    assert sum(p.numel() for p in net.parameters()) == weights
    graph = trace(net, torch.zeros(1, 2, 32, 32))
    assert validate(snncore.build("chip", "loihi2"), graph).findings == ()


def test_gestures_become_spikes_of_32_x_32_pixels():
    data = recordings("dvsgesture_like")
    table = snn_train.load_recipe("loihi_dvs_gesture", [f"data.root={data}"]).tables["data"]
    x = snncore.from_spec("dataset", {**table, "split": "test"})[0][0]
    assert x.shape == (16, 2, 32, 32)
    assert set(x.unique().tolist()) == {0.0, 1.0}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*holds .* recordings")
def test_n_mnist(tmp_path):
    """In half of its epochs; and the chip gives every spike of the network that was trained."""
    changes = [f"data.root={recordings('nmnist')}", f"run.root={tmp_path}", "train.epochs=6"]
    found = snn_train.train("n_mnist_loihi", [*changes, "run.seed=0"])
    assert found["test_accuracy"] >= 0.8
    table = snn_train.load_recipe("n_mnist_loihi", changes).tables["data"]
    test = snncore.from_spec("dataset", {**table, "split": "test"})
    x = torch.stack([test[i][0] for i in range(10)], 1)
    graph = trace(snn_train.load_network(tmp_path / "n_mnist_loihi-seed0"), x[0])
    assert parity(snncore.build("chip", "loihi2"), graph, x, "exact").ok
