from __future__ import annotations

import math

import pytest
import torch

import snncore
from snn_train import RateCrossEntropy, RateMSE


def test_cross_entropy_of_the_mean_over_time():
    y = torch.tensor([[[1.0, 0.0]], [[3.0, 0.0]]])  # mean over time is 2, 0
    loss = RateCrossEntropy()(y, torch.tensor([1]))
    assert float(loss) == pytest.approx(math.log(math.exp(2) + 1))


def test_label_smoothing_spreads_the_target():
    y = torch.tensor([[[2.0, 0.0]]])
    log = [-math.log(1 + math.exp(-2)), -math.log(1 + math.exp(2))]
    loss = RateCrossEntropy(label_smoothing=0.2)(y, torch.tensor([0]))
    assert float(loss) == pytest.approx(-(0.9 * log[0] + 0.1 * log[1]))


def test_squared_error_to_the_one_hot_label():
    y = torch.tensor([[[1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]]])
    loss = RateMSE()(y, torch.tensor([0]))
    assert float(loss) == pytest.approx((0.25 + 0 + 0.25) / 3)


def test_both_are_registered():
    assert isinstance(snncore.build("loss", "rate_cross_entropy"), RateCrossEntropy)
    assert isinstance(snncore.build("loss", "rate_mse"), RateMSE)
