"""Delays that a recipe learns are whole steps at its end, as evaluation and chips have them."""

from __future__ import annotations

import pytest
import torch

snn_train = pytest.importorskip("snn_train", reason="snn-train is not installed")
pytest.importorskip("snn_lava", reason="snn-lava is not installed")


@pytest.mark.slow
def test_delays_become_sharp(tmp_path):
    recipe = tmp_path / "delays.toml"
    recipe.write_text(
        """
        [data]
        name = "digits"
        [encoder]
        name = "poisson"
        T = 4
        [model]
        name = "loihi_dense"
        hidden = [12]
        max_delay = 4
        [loss]
        name = "rate_mse"
        [optimizer]
        name = "adamw"
        [train]
        epochs = 3
        [run]
        threads = 1
        """
    )
    snn_train.train(str(recipe), [f"run.root={tmp_path}", "run.name=a"])
    net = snn_train.load_network(tmp_path / "a")
    delay = net.dense1.delay
    sharp = type(delay)(12, 4)
    sharp.anneal(1.0)
    # Of the best epoch, which may not be the last.
    assert delay.sigma.item() < delay.start
    checkpoint = torch.load(tmp_path / "a" / "checkpoint.pt", weights_only=True)
    assert checkpoint["model"]["dense1.delay.sigma"] == sharp.sigma
