from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from snn_train.optimizer import read_optimizer


@pytest.mark.parametrize(
    ("name", "cls"),
    [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)],
)
def test_names(name: str, cls: type):
    made = read_optimizer({"name": name, "lr": 0.5, "weight_decay": 0.1}).make(
        nn.Linear(2, 2).parameters()
    )
    assert type(made) is cls
    assert (made.param_groups[0]["lr"], made.param_groups[0]["weight_decay"]) == (0.5, 0.1)


def test_own_parameters():
    net = nn.Linear(2, 2)
    sgd = read_optimizer({"name": "sgd", "momentum": 0.9}).make(net.parameters())
    assert sgd.param_groups[0]["momentum"] == 0.9
    adam = read_optimizer({"betas": [0.5, 0.6]}).make(net.parameters())
    assert adam.param_groups[0]["betas"] == (0.5, 0.6)


def test_cosine_is_the_closed_form():
    schedule = read_optimizer({"lr": 2.0, "schedule": "cosine"})
    for epoch in (0, 2.5, 5, 9.75, 10):
        assert schedule.rate(epoch, 10) == pytest.approx(1 + math.cos(math.pi * epoch / 10))


def test_step_falls_by_gamma():
    schedule = read_optimizer({"lr": 1.0, "schedule": "step", "step_epochs": 3, "gamma": 0.5})
    rates = [schedule.rate(epoch, 9) for epoch in (0, 2.9, 3, 5.9, 6)]
    assert rates == [1.0, 1.0, 0.5, 0.5, 0.25]


def test_warm_up_rises_and_never_wastes_a_step():
    schedule = read_optimizer({"lr": 1.0, "warmup": 2})
    assert [schedule.rate(epoch, 9) for epoch in (0, 0.5, 1, 2, 3)] == [0.01, 0.25, 0.5, 1.0, 1.0]
