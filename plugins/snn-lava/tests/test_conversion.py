"""A network trained in floats predicts on the chip what it predicted before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import nn

import snncore as snn
from snncore import layers
from snncore.chip import examine
from snncore.graph import trace

pytestmark = pytest.mark.slow


def frames(split):
    """Binary frames ``[T, N, 2, 32, 32]`` and labels of N-MNIST."""
    root = Path(os.environ.get("SNN_TEST_DATA") or "/") / "nmnist"
    if not root.is_dir():
        pytest.skip("SNN_TEST_DATA names no folder with N-MNIST")
    data = snn.build("dataset", "n_mnist", root=root, split=split, T=10, by="count")
    rows = [data[i] for i in range(len(data))]
    x = torch.stack([torch.as_tensor(frame) for frame, _ in rows], 1)
    return (x[..., 1:33, 1:33] > 0).float(), torch.tensor([int(label) for _, label in rows])


def network():
    def lif():
        return snn.build("neuron", "lif", detach_reset=True)

    return nn.Sequential(
        layers.Conv2d(2, 16, 3, stride=2, padding=1, bias=False),
        layers.BatchNorm2d(16),
        lif(),
        layers.AvgPool2d(2),
        layers.Conv2d(16, 32, 3, padding=1, bias=False),
        layers.BatchNorm2d(32),
        lif(),
        layers.AvgPool2d(2),
        layers.Flatten(),
        layers.Linear(32 * 16, 10, bias=False),
        lif(),
    )


@pytest.mark.filterwarnings("ignore:.*is not the published file")
def test_a_trained_network_keeps_its_predictions():
    torch.manual_seed(0)
    (x, y), (x_test, y_test) = frames("train"), frames("test")
    net, epochs = network(), 5
    snn.set_step_mode(net, "m")
    optimizer = torch.optim.AdamW(net.parameters(), 5e-3)
    steps = epochs * -(-len(y) // 32)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(epochs):
        for items in torch.randperm(len(y)).split(32):
            snn.reset(net)
            loss = nn.functional.cross_entropy(4 * net(x[:, items]).mean(0), y[items])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    net.eval()
    snn.reset(net)
    every, labels = torch.cat((x, x_test), 1), torch.cat((y, y_test))
    with torch.no_grad():
        before = torch.cat([run(net, part) for part in every.split(200, 1)])
    chip = snn.build("chip", "loihi2")
    report, program = examine(chip, trace(net, torch.zeros(1, 2, 32, 32)))
    assert report.ok, str(report)
    assert [table.title for table in report.tables] == ["Passes", "Resources", "Quantisation"]
    after = chip.simulate(program, every).output.sum(0).argmax(1)
    assert (before == after).float().mean() >= 0.97
    assert (after == labels).float().mean() >= 0.85


def run(net, x):
    snn.reset(net)
    return net(x).sum(0).argmax(1)
