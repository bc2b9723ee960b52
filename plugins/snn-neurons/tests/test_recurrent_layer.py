"""Neurons of this plugin inside the core's recurrent layer: one kernel against a plain loop."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import snncore as snn
from snncore.kernels.cpp import CppBackend
from snncore.layers import Recurrent

pytestmark = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)
NEURONS = {
    "lif": {"tau": 1.8},
    "plif": {"init_tau": 3.0},
    "alif": {"rho": 0.9, "beta": 0.7},
    "if": {"v_reset": None},
}
HIDDEN = 37


def layer(name, dtype, backend=None):
    torch.manual_seed(0)
    made = Recurrent(snn.build("neuron", name, backend=backend, **NEURONS[name]), 9, HIDDEN)
    with torch.no_grad():
        for parameter in (*made.feedforward.parameters(), made.recurrent.weight):
            # On a grid of quarters, every order of a sum of spikes gives the same.
            parameter.copy_((torch.randn_like(parameter) * 4).round() / 4)
    made.step_mode = "m"
    return made.to(dtype)


def by_hand(net, x):
    """A loop over the neuron's own step."""
    neuron = net.sub_module
    drive = F.linear(x, net.feedforward.weight, net.feedforward.bias)
    y = torch.zeros_like(drive[0])
    states = [torch.full_like(y, float(neuron.initial(name))) for name in neuron.states]
    outputs = []
    for now in drive.unbind():
        y, *states = neuron.step(now + y @ net.recurrent.weight.T, *states)
        outputs.append(y)
    return torch.stack(outputs), states


def everything(net, run, x):
    x = x.clone().requires_grad_()
    y, states = run(net, x)
    torch.manual_seed(2)
    total = sum((value * torch.randn_like(value)).sum() for value in (y, *states))
    return [y, *states, *torch.autograd.grad(total, (x, *net.parameters()))]


def called(net, x):
    y = net(x)
    neuron = net.sub_module
    return y, [getattr(neuron, name) for name in neuron.states]


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 2e-6)], ids=["f64", "f32"]
)
@pytest.mark.parametrize("name", NEURONS)
def test_the_kernel_equals_a_plain_loop(name, dtype, tolerance):
    torch.manual_seed(1)
    x = (torch.rand(14, 11, 9, dtype=dtype) > 0.7).to(dtype)
    net = layer(name, dtype)
    assert snn.explain(net).rows[0].backend == "cpp"
    found, expected = everything(net, called, x), everything(net, by_hand, x)
    assert 0.05 < found[0].mean() < 0.8
    assert torch.equal(found[0], expected[0])
    for one, other in zip(found, expected, strict=True):
        assert (one - other).abs().max() <= tolerance * other.abs().max().clamp(min=1)


@pytest.mark.parametrize("name", NEURONS)
def test_backends_and_step_modes_agree(name):
    torch.manual_seed(1)
    x = (torch.rand(9, 4, 9) > 0.6).float()
    whole, looped, stepped = (
        layer(name, x.dtype),
        layer(name, x.dtype, "eager"),
        layer(name, x.dtype),
    )
    stepped.step_mode = "s"
    y = whole(x)
    assert torch.equal(looped(x), y)
    assert torch.equal(torch.stack([stepped(now) for now in x]), y)
    for state in whole.sub_module.states:
        found = getattr(whole.sub_module, state)
        assert torch.equal(getattr(stepped.sub_module, state), found)


def test_many_neurons_of_several_layers_train():
    torch.manual_seed(0)
    net = nn.Sequential(layer("alif", torch.float32), layer("lif", torch.float32))
    net[1].feedforward = nn.Linear(HIDDEN, HIDDEN)
    x, target = (torch.rand(10, 8, 9) > 0.6).float(), torch.rand(8, HIDDEN)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    losses = []
    for _ in range(15):
        snn.reset(net)
        loss = (net(x).mean(0) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
