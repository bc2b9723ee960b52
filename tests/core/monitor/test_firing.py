from __future__ import annotations

import torch
from torch import nn

import snncore as snn
from snncore.monitor import Firing
from snncore.monitor.firing import FiringReport


class Threshold(snn.Neuron):
    """Fires where its input reaches 1, remembers nothing."""

    def charge(self, x, v):
        return x


def test_against_a_count_by_hand():
    net = nn.Sequential(Threshold(v_reset=0.0), nn.Sequential(Threshold()))
    # One neuron never fires, one always, one at 3 of 6 steps of all items.
    x = torch.tensor(
        [
            [[0.0, 1.0, 1.0], [0.5, 1.0, 0.0]],
            [[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]],
            [[0.0, 1.0, 1.0], [0.0, 2.0, 0.0]],
        ]
    )
    for mode in ("s", "m"):
        snn.reset(net)
        snn.set_step_mode(net, mode)
        with Firing().watch(net) as report:
            net(x) if mode == "m" else [net(now) for now in x]
        assert isinstance(report, FiringReport)
        assert list(report) == ["0", "1.0"]
        row = report["0"]
        assert (row.neurons, row.rate, row.silent, row.saturated) == (3, 0.5, 1 / 3, 1 / 3)
        assert report["1.0"] == row


def test_dead_means_over_all_batches():
    net = nn.Sequential(Threshold())
    with Firing().watch(net) as report:
        net(torch.tensor([[1.0, 0.0]]))
        assert report["0"].silent == 0.5
        snn.reset(net)
        net(torch.tensor([[0.0, 1.0], [0.0, 1.0]]))
    assert (report["0"].rate, report["0"].silent) == (0.5, 0.0)


def test_the_table():
    net = nn.Sequential(Threshold())
    with Firing().watch(net) as report:
        net(torch.tensor([[1.0, 0.0, 0.0]]))
    head, row = (line.split() for line in str(report).splitlines())
    assert head == ["layer", "neurons", "rate", "silent", "saturated"]
    assert row == ["0", "3", "33.33%", "66.67%", "33.33%"]
