from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import snncore as snn
from snncore import layers
from snncore.errors import StepModeError
from snncore.layers import (
    ElementWiseRecurrentContainer,
    LinearRecurrentContainer,
    MultiStepContainer,
    SeqToANNContainer,
)
from snncore.neuron import Neuron
from snncore.step import MultiStepModule, StepModule, multi_step_forward, seq_to_ann_forward


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


def test_the_default_mode_is_single_step():
    assert Leaky().step_mode == "s"
    assert layers.Linear(2, 3).step_mode == "s"


def test_set_step_mode_switches_the_whole_network():
    net = nn.Sequential(layers.Linear(3, 4), nn.ModuleList([Leaky(), nn.Sequential(Leaky())]))
    snn.set_step_mode(net, "m")
    assert {m.step_mode for m in net.modules() if isinstance(m, StepModule)} == {"m"}


def test_a_wrong_mode_is_refused():
    with pytest.raises(StepModeError, match="step_mode must be 's' or 'm', got 'multi'"):
        snn.set_step_mode(nn.Sequential(), "multi")
    with pytest.raises(StepModeError, match="step_mode must be 's' or 'm', got 'multi'"):
        Leaky(step_mode="multi")


def test_a_one_way_module_keeps_its_mode_and_says_so():
    net = nn.Sequential(Leaky(step_mode="m"), MultiStepContainer(Leaky()))
    with pytest.warns(
        UserWarning,
        match=r"kept in their only step mode instead of 's': 1 \(snncore/multi_step\)",
    ):
        snn.set_step_mode(net, "s")
    assert (net[0].step_mode, net[1].step_mode, net[1][0].step_mode) == ("s", "m", "s")
    with pytest.raises(StepModeError, match="snncore/multi_step runs only in step_mode 'm'"):
        net[1].step_mode = "s"


def test_the_inside_of_a_container_stays_single_step():
    with pytest.warns(UserWarning, match=r"kept .* instead of 's': 1 \(MultiStepModule\)"):
        ElementWiseRecurrentContainer(nn.Sequential(Leaky(), MultiStepModule()))
    net = nn.Sequential(Leaky(), ElementWiseRecurrentContainer(nn.Sequential(Leaky())))
    snn.set_step_mode(net, "m")
    assert net[0].step_mode == net[1].step_mode == "m"
    assert net[1].sub_module[0].step_mode == "s"


@given(
    t=st.integers(1, 5), n=st.integers(0, 4), width=st.integers(1, 3), mode=st.sampled_from("sm")
)
def test_multi_step_forward_is_the_loop(t, n, width, mode):
    x = torch.randn(t, n, width)
    one, other = Leaky(), Leaky()
    expected = torch.stack([one(x[i]) for i in range(t)])
    assert torch.equal(multi_step_forward(x, other), expected)
    assert torch.equal(one.v, other.v)


def test_multi_step_forward_needs_a_step():
    with pytest.raises(ValueError, match=r"at least one time step, got shape \(0, 2\)"):
        multi_step_forward(torch.zeros(0, 2), nn.Identity())


@given(t=st.integers(0, 4), n=st.integers(0, 4))
def test_seq_to_ann_forward_merges_time(t, n):
    linear = nn.Linear(3, 2)
    x = torch.randn(t, n, 3)
    y = seq_to_ann_forward(x, linear)
    assert y.shape == (t, n, 2)
    assert torch.allclose(y, linear(x))


def test_seq_to_ann_forward_needs_time_and_batch():
    with pytest.raises(ValueError, match=r"\[T, N, \*\], got \(3,\); for one time step use"):
        seq_to_ann_forward(torch.zeros(3), nn.Identity())


def test_containers_equal_their_plain_loops():
    torch.manual_seed(0)
    x = torch.randn(4, 5, 3)
    linear, norm = nn.Linear(3, 6), nn.BatchNorm1d(6)
    got = SeqToANNContainer(linear, norm)(x)
    assert torch.allclose(got, norm(linear(x.reshape(20, 3))).reshape(4, 5, 6))
    inside = [nn.Linear(3, 6), Leaky()]
    got = MultiStepContainer(*inside)(x)
    snn.reset(inside[1])
    assert torch.equal(got, torch.stack([inside[1](inside[0](step)) for step in x]))


@pytest.mark.parametrize("mode", ["s", "m"])
def test_elementwise_recurrence_is_equation_30(mode):
    torch.manual_seed(0)
    x = torch.randn(6, 5, 3)
    container = ElementWiseRecurrentContainer(Leaky(), lambda x, y: x - 0.5 * y, step_mode=mode)
    got = container(x) if mode == "m" else torch.stack([container(step) for step in x])
    inside, y, expected = Leaky(), torch.zeros(5, 3), []
    for step in x:
        y = inside(step - 0.5 * y)
        expected.append(y)
    assert torch.equal(got, torch.stack(expected))


@pytest.mark.parametrize("mode", ["s", "m"])
def test_linear_recurrence_is_equation_30(mode):
    torch.manual_seed(0)
    x = torch.randn(6, 5, 3, requires_grad=True)
    inside = nn.Sequential(nn.Linear(3, 2), Leaky())
    container = LinearRecurrentContainer(inside, 3, 2, step_mode=mode)
    got = container(x) if mode == "m" else torch.stack([container(step) for step in x.unbind()])
    grad = torch.autograd.grad(got.square().sum(), (x, container.linear.weight))
    snn.reset(container)
    y, expected = torch.zeros(5, 2), []
    for step in x.unbind():
        joint = torch.cat((step, y), 1) @ container.linear.weight.T + container.linear.bias
        y = inside(joint)
        expected.append(y)
    expected = torch.stack(expected)
    assert torch.allclose(got, expected)
    reference = torch.autograd.grad(expected.square().sum(), (x, container.linear.weight))
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(grad, reference, strict=True))


def test_recurrence_inside_a_multi_step_network_equals_step_by_step():
    torch.manual_seed(0)
    net = nn.Sequential(
        layers.Linear(3, 4), LinearRecurrentContainer(Leaky(), 4, 4), layers.Linear(4, 2), Leaky()
    )
    x = torch.randn(5, 6, 3)
    by_step = torch.stack([net(step) for step in x])
    snn.reset(net)
    snn.set_step_mode(net, "m")
    by_layer = net(x)
    assert torch.equal(by_layer, by_step)


def test_a_recurrent_container_under_autocast():
    net = LinearRecurrentContainer(nn.Linear(3, 2), 3, 2, step_mode="m")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert net(torch.randn(4, 5, 3)).dtype == torch.bfloat16
        assert net(torch.randn(4, 5, 3)).shape == (4, 5, 2)
