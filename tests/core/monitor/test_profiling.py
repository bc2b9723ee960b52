from __future__ import annotations

import pytest
import torch
from torch import nn

import snncore as snn
from snncore.layers import Linear
from snncore.monitor import OperationCounter, profile, random_input


class Fire(snn.Neuron):
    """Fires where its input reaches 1."""

    def charge(self, x, v):
        return x


def network() -> nn.Module:
    net = nn.Sequential(Linear(3, 4), Fire(), nn.Sequential(Linear(4, 2)))
    nn.init.ones_(net[0].weight)
    nn.init.zeros_(net[0].bias)
    snn.set_step_mode(net, "m")
    return net


def test_rows():
    net = network()
    x = torch.zeros(2, 1, 3)
    x[0, 0, 0] = 1
    found = profile(net, x, repeats=2)
    rows = {row.path: row for row in found.rows}
    assert list(rows) == ["", "0", "1", "2", "2.0"]
    assert rows["0"].layer == "snncore/linear"
    assert (rows["0"].parameters, rows["0"].parameter_bytes) == (16, 64)
    assert [rows[path].output for path in ("0", "2.0")] == [(2, 1, 4), (2, 1, 2)]
    # All four fire in the first step only.
    assert [row.rate for row in found.rows] == [None, None, 0.5, None, None]
    assert rows["0"].operations.sops == 4
    assert rows["2.0"].operations.sops == 8
    with OperationCounter().watch(net) as counted:
        net(x)
    assert rows[""].operations == counted.total
    inner = sum(rows[path].milliseconds for path in ("0", "1", "2"))
    assert 0 < inner <= rows[""].milliseconds


def test_the_network_is_left_as_it_was():
    net = network()
    profile(net, torch.ones(2, 1, 3), repeats=1)
    assert all(value is None for _, _, value in snn.memories(net))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert all(p.grad is None for p in net.parameters())
    assert net.training


def test_the_table():
    text = str(profile(network(), torch.ones(2, 1, 3), repeats=1))
    head, whole, *_ = text.splitlines()
    assert head.split()[:5] == ["path", "layer", "ms", "parameters", "output"]
    assert whole.split()[:2] == [".", "Sequential"]
    assert "pJ a MAC" in text


def test_single_steps_and_plain_networks():
    net = nn.Sequential(nn.Linear(3, 2))
    (whole, layer) = profile(net, torch.rand(4, 3), repeats=1).rows
    assert layer.output == (1, 4, 2)
    assert whole.operations.mac == 24


def test_random_inputs():
    spikes = random_input([2, 3], steps=50, batch=4, rate=0.25)
    assert spikes.shape == (50, 4, 2, 3)
    assert set(spikes.unique().tolist()) == {0.0, 1.0}
    assert spikes.mean().item() == pytest.approx(0.25, abs=0.05)
    assert torch.equal(spikes, random_input([2, 3], steps=50, batch=4, rate=0.25))
    values = random_input([3], steps=None, batch=5, rate=None)
    assert values.shape == (5, 3)
    assert len(values.unique()) == 15


def test_at_least_one_run():
    with pytest.raises(ValueError, match="at least one timed run, got repeats=0"):
        profile(network(), torch.ones(2, 1, 3), repeats=0)
