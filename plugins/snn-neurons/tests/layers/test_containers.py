from __future__ import annotations

import pytest
import torch
from torch import nn

import snncore
from snn_neurons import IF
from snn_neurons.layers import Residual, TLast
from snncore.layers import Linear

TABLE = {
    # (A, S) -> add, and, iand
    (0, 0): (0, 0, 0),
    (0, 1): (1, 0, 1),
    (1, 0): (1, 0, 0),
    (1, 1): (2, 1, 0),
}


class Says(nn.Module):
    """Gives what it was told."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return torch.full_like(x, self.value)


@pytest.mark.parametrize("place", range(3))
def test_connections_have_their_truth_tables(place):
    function = ("add", "and", "iand")[place]
    for (a, s), row in TABLE.items():
        x = torch.full((2, 3), float(s))
        assert torch.equal(Residual(Says(a), function=function)(x), torch.full((2, 3), row[place]))


@pytest.mark.parametrize(("function", "silent"), [("add", 0), ("iand", 0), ("and", 1)])
def test_a_block_can_be_the_identity(function, silent):
    x = (torch.rand(4, 3) < 0.5).float()
    assert torch.equal(Residual(Says(silent), function=function)(x), x)


def test_a_residual_block_runs_in_both_modes():
    torch.manual_seed(0)
    net = Residual(Linear(4, 4), IF(), function="add")
    x = (torch.rand(6, 3, 4) < 0.5).float()
    by_step = torch.stack([net(now) for now in x])
    linear, v, expected = net.block[0], torch.zeros(3, 4), []
    for now in x:
        h = v + nn.functional.linear(now, linear.weight, linear.bias)
        s = (h >= 1.0).float()
        v = (1 - s) * h
        expected.append(s + now)
    assert torch.allclose(by_step, torch.stack(expected))
    snncore.reset(net)
    snncore.set_step_mode(net, "m")
    assert torch.allclose(net(x), by_step)


def test_a_residual_block_explains_what_does_not_fit():
    with pytest.raises(ValueError, match="function must be 'add', 'and' or 'iand', got 'or'"):
        Residual(function="or")
    with pytest.raises(
        ValueError,
        match=r"snn-neurons/residual: the block gives \[2, 3\], the shortcut \[2, 4\]; pass "
        r"shortcut=\.\.\.",
    ):
        Residual(Linear(4, 3))(torch.zeros(2, 4))
    assert Residual(Linear(4, 3), shortcut=Linear(4, 3))(torch.zeros(2, 4)).shape == (2, 3)


def test_time_last_is_time_first_moved():
    torch.manual_seed(0)
    net = TLast(Linear(4, 5), IF())
    x = 3 * torch.rand(2, 4, 7)
    y = net(x)
    assert y.shape == (2, 5, 7)
    linear, v = net.inside[0], torch.zeros(2, 5)
    for t in range(7):
        h = v + x[:, :, t] @ linear.weight.T + linear.bias
        s = (h >= 1.0).float()
        v = (1 - s) * h
        assert torch.equal(y[:, :, t], s)
    assert y.sum() > 0


def test_the_inside_of_time_last_keeps_its_mode():
    net = nn.Sequential(TLast(IF()), IF())
    assert net[0].inside[0].step_mode == "m"
    with pytest.warns(UserWarning, match=r"instead of 's': 0 \(snn-neurons/t_last\)"):
        snncore.set_step_mode(net, "s")
    assert (net[0].inside[0].step_mode, net[1].step_mode) == ("m", "s")
    with pytest.raises(ValueError, match=r"snn-neurons/t_last takes \[N, \*, T\], got \[7\]"):
        TLast(IF())(torch.zeros(7))
