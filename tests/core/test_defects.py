"""Defects that other frameworks have shipped, each with a test that would catch it here."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import snncore as snn
from snncore.neuron import Neuron


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


class Adaptive(Neuron):
    states = {"v": 0.0, "b": 0.0}

    def __init__(self, *, beta: float = 0.5) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.tensor([[beta]]))

    def step(self, x, v, b):
        h = 0.5 * v + x
        s = self.surrogate(h - self.v_threshold - self.beta * b)
        return s, self.reset(h, s), 0.9 * b + s


def sequence(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 1.5


@pytest.mark.parametrize("shape", [(), (1,), (3,), (4, 1), (4, 3)])
@pytest.mark.parametrize("mode", ["s", "m"])
def test_a_learnable_threshold_gets_its_gradient_in_every_shape(shape, mode):
    neuron = Leaky(v_threshold=nn.Parameter(torch.full(shape, 0.8)), step_mode=mode)
    x = sequence(6, 4, 3)
    y = neuron(x) if mode == "m" else torch.stack([neuron(step) for step in x])
    y.sum().backward()
    assert neuron.v_threshold.grad.shape == shape
    assert neuron.v_threshold.grad.abs().min() > 0


def test_per_label_thresholds_are_ordinary_tensors():
    neuron = Leaky(v_threshold=[1.0, 0.5, 0.25])
    assert neuron(torch.full((2, 3), 0.375)).tolist() == [[0.0, 0.0, 1.0]] * 2


@pytest.mark.parametrize("hook", ["charge", "fire", "reset"])
def test_overriding_a_hook_is_never_ignored(hook):
    overridden = {
        "charge": lambda self, x, v: torch.zeros_like(x),
        "fire": lambda self, h: torch.zeros_like(h),
        "reset": lambda self, h, s: h,
    }[hook]
    cls = type("Overridden", (Leaky,), {hook: overridden})
    x = sequence(6, 4, 3)
    expected = Leaky(step_mode="m")(x)
    by_layer, by_step = cls(step_mode="m"), cls()
    assert not torch.equal(by_layer(x), expected)
    stepped = torch.stack([by_step(step) for step in x])
    snn.reset(by_layer)
    assert torch.equal(by_layer(x), stepped)


def test_two_neurons_share_no_default_surrogate():
    one, other = Leaky(), Leaky()
    one.surrogate.alpha = 5.0
    assert other.surrogate.alpha == 2.0


def test_a_neuron_added_after_the_first_reset_is_reset():
    net = nn.Sequential(Leaky())
    snn.reset(net)
    net.append(nn.Sequential(Leaky()))
    net(sequence(2, 3))
    snn.reset(net)
    assert [value for *_, value in snn.memories(net)] == [None, None]


def test_reset_leaves_other_networks_alone_and_reaches_copies():
    net, other = nn.Sequential(Leaky()), nn.Sequential(Leaky())
    net(sequence(2, 3)), other(sequence(2, 3))
    twin = copy.deepcopy(net)
    snn.reset(twin)
    assert twin[0].v is None
    assert net[0].v is not None
    assert other[0].v is not None


def test_state_stays_float32_under_autocast():
    neuron = Leaky(step_mode="m")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        neuron(sequence(6, 4, 3).bfloat16())
    assert neuron.v.dtype == torch.float32


def test_deepcopy_after_a_training_forward():
    net = nn.Sequential(nn.Linear(3, 3), Leaky())
    net(sequence(2, 3))
    assert torch.equal(copy.deepcopy(net)[1].v, net[1].v)


def test_every_state_survives_from_call_to_call():
    whole, parts = Adaptive(), Adaptive()
    whole.step_mode = parts.step_mode = "m"
    x = sequence(8, 4, 3)
    assert torch.equal(whole(x), torch.cat([parts(x[:3]), parts(x[3:])]))
    assert torch.equal(whole.b, parts.b)


def test_single_and_multi_step_agree_in_values_and_gradients():
    x = sequence(8, 4, 3)
    grads = []
    for mode in ("s", "m"):
        neuron = Adaptive()
        neuron.step_mode = mode
        given = x.clone().requires_grad_()
        y = neuron(given) if mode == "m" else torch.stack([neuron(s) for s in given.unbind()])
        (y * x).sum().backward()
        grads.append((y.detach(), given.grad, neuron.beta.grad))
    for a, b in zip(*grads, strict=True):
        assert torch.allclose(a, b, rtol=1e-6, atol=1e-7)


def test_parameters_take_the_shape_that_the_user_gives():
    for shape in ((), (3,), (4, 3), (3, 1, 1)):
        x = sequence(2, 3, 5, 5) if shape == (3, 1, 1) else sequence(4, 3)
        neuron = Leaky(v_threshold=nn.Parameter(torch.ones(shape)))
        assert neuron(x).shape == x.shape
        assert neuron.v_threshold.shape == shape
