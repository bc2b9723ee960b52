"""Weights, decays and thresholds: the tables of lava-dl."""

from __future__ import annotations

import pytest
import torch

from snn_lava.grid import WEIGHT_UNIT, decay_integer, on_grid, threshold_integer


@pytest.mark.parametrize(
    ("weight", "integer"),
    [
        (1 / 64, 0),
        (3 / 64, 4),
        (5 / 64, 4),
        (-1 / 64, 0),
        (-3 / 64, -4),
        (4.0, 254),
        (-4.0, -256),
        (10.0, 254),
        (-10.0, -256),
    ],
)
def test_weights(weight, integer):
    assert (WEIGHT_UNIT * on_grid(torch.tensor(weight))).item() == integer


@pytest.mark.parametrize(("decay", "integer"), [(0.5, 0), (1.5, 2), (2.5, 2), (8192, 4096)])
def test_decays(decay, integer):
    assert decay_integer(decay / 4096).item() == integer


@pytest.mark.parametrize(("threshold", "integer"), [(1.2599, 80), (3.999, 255), (0.015, 0)])
def test_thresholds(threshold, integer):
    assert threshold_integer(threshold) == integer


def test_every_weight_learns():
    weight = torch.tensor([0.01, 3.0, 9.0, -9.0], requires_grad=True)
    on_grid(weight).sum().backward()
    assert torch.equal(weight.grad, torch.ones(4))
