"""Where states start: a number, a tensor, or a parameter that learns, on every backend."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from torch import nn

import snncore as snn
from snncore.config import config_of
from snncore.errors import ConfigError, StateError
from snncore.layers import Linear
from snncore.neuron import Neuron

T, N, TAU, V_TH = 6, 4, 1.75, 0.8
BACKENDS = ("eager", "cpp")


class Leaky(Neuron):
    def charge(self, x, v):
        return v + (x - v) / TAU


class Adaptive(Leaky):
    """Two states, of which one starts at a number of its own."""

    states = {"v": 0.0, "b": 0.0}

    def step(self, *args):
        x, v, b = args
        h = self.charge(x, v)
        s = self.fire(h - b)
        return s, self.reset(h, s), 0.5 * b + s

    def initial(self, name):
        return 0.125 if name == "b" else super().initial(name)


@pytest.fixture(params=BACKENDS)
def backend(request):
    reason = snn.get("backend", request.param)().available()
    if reason is not None:
        pytest.skip(f"backend {request.param} is not available: {reason}")
    return request.param


def normal(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("v_reset", [0.1, None])
@pytest.mark.parametrize("shape", [(), (3, 1), (3, 2), (N, 3, 2)], ids=str)
def test_the_gradient_of_a_learnt_start_by_hand(backend, mode, v_reset, shape):
    """The carry that is left below the first step: Eq. 23-24 of the SpikingJelly paper."""
    net = Leaky(v_threshold=V_TH, v_reset=v_reset, backend=backend, step_mode=mode)
    start = nn.Parameter(0.3 * normal(1, *shape))
    net.set_initial("v", start)
    x, on_s, on_v = normal(2, T, N, 3, 2) + 0.6, normal(3, T, N, 3, 2), normal(4, N, 3, 2)
    y = net(x) if mode == "m" else torch.stack([net(now) for now in x])
    torch.autograd.backward((y, net.v), (on_s, on_v))

    v, tape = start.detach().expand(N, 3, 2), []
    for now in x:
        h = v + (now - v) / TAU
        s = (h >= V_TH).double()
        tape.append((h, s))
        v = h - s * V_TH if v_reset is None else (1 - s) * h + s * v_reset
    assert torch.equal(y, torch.stack([s for _, s in tape]))
    assert 0.1 < y.mean() < 0.9
    carry = on_v
    for t in reversed(range(T)):
        h, s = tape[t]
        g = 1 / (1 + (math.pi * (h - V_TH)) ** 2)
        rho = 1 - V_TH * g if v_reset is None else 1 - s + (v_reset - h) * g
        carry = (on_s[t] * g + carry * rho) * (1 - 1 / TAU)
    assert start.grad.shape == shape
    assert torch.allclose(start.grad, carry.sum_to_size(shape), rtol=1e-10)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.5, [[0.5, 0.5]]), ([0.5, -1.0], [[0.5, -1.0]]), (torch.tensor([2.0]), [[2.0, 2.0]])],
)
def test_every_state_starts_where_it_is_told(backend, value, expected):
    x = torch.zeros(1, 2)
    net = Adaptive(v_reset=0.25, backend=backend)
    assert [state.tolist() for state in net.init_states(x)] == [[[0.25, 0.25]], [[0.125, 0.125]]]
    for name in ("v", "b"):
        net.set_initial(name, value)
        started = dict(zip(net.states, net.init_states(x), strict=True))
        assert started[name].tolist() == expected
        net.set_initial(name, None)
    assert [state.tolist() for state in net.init_states(x)] == [[[0.25, 0.25]], [[0.125, 0.125]]]


def test_a_start_may_be_told_anew():
    net = Leaky()
    net.set_initial("v", nn.Parameter(torch.tensor(0.5)))
    net.set_initial("v", 0.25)
    assert list(net.parameters()) == []
    assert net.init_states(torch.zeros(1, 1))[0].item() == 0.25
    assert repr(net).count("initial_v=0.25") == 1
    net.make_learnable(["initial_v"])
    assert net.initial_v.item() == 0.25
    assert isinstance(net.initial_v, nn.Parameter)


def test_a_learnt_start_trains_and_is_used_after_each_reset(backend):
    torch.manual_seed(0)
    net = nn.Sequential(Linear(3, 5), Leaky(backend=backend))
    net[1].set_initial("v", nn.Parameter(torch.zeros(5)))
    snn.set_step_mode(net, "m")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    x = torch.rand(4, 2, 3)
    for _ in range(3):
        snn.reset(net)
        before = net[1].initial_v.detach().clone()
        optimizer.zero_grad()
        net(x).sum().backward()
        optimizer.step()
        assert (net[1].initial_v != before).all()
    snn.reset(net)
    net(x[:0])
    assert torch.equal(net[1].v, net[1].initial_v.expand(2, 5))


def test_copies_and_the_state_dict_have_the_start():
    net = Leaky(step_mode="m")
    net.set_initial("v", nn.Parameter(torch.tensor([0.5, -0.5])))
    x = torch.rand(3, 4, 2)
    expected = net(x)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        snn.reset(twin)
        assert torch.equal(twin(x), expected)
        assert torch.equal(twin.v, net.v)
    assert list(net.state_dict()) == ["initial_v"]


def test_the_functional_form_differentiates_the_start():
    net = Leaky(step_mode="m")
    net.set_initial("v", nn.Parameter(torch.tensor(0.5)))
    x = torch.rand(3, 4, 2)
    call, init = snn.functional(net)
    _, after = call(x, init(x))
    after[""]["v"].sum().backward()
    by_call = net.initial_v.grad.clone()
    net.initial_v.grad = None
    net(x)
    net.v.sum().backward()
    assert torch.equal(net.initial_v.grad, by_call)


def test_a_start_in_a_configuration():
    pytest.importorskip("snn_neurons", reason="snn-neurons is not installed")
    net = snn.build(
        "neuron", "alif", initial={"v": [0.5, -0.5], "b": 0.25}, learnable=["initial_b", "tau"]
    )
    assert isinstance(net.initial_b, nn.Parameter)
    assert net.initial_v.tolist() == [0.5, -0.5]
    config = config_of(net)
    assert config["initial"] == {"v": [0.5, -0.5], "b": 0.25}
    assert config["learnable"] == ["tau", "initial_b"]
    assert config_of(snn.build("neuron", "alif", **config)) == config
    assert "initial" not in config_of(snn.build("neuron", "alif"))


def test_what_cannot_start_says_so():
    net = nn.Sequential(nn.Identity(), Adaptive())
    with pytest.raises(ValueError, match=r"^Adaptive has no state 'w'; its states are v, b$"):
        net[1].set_initial("w", 0.0)
    net[1].set_initial("b", [0.0, 0.0, 0.0])
    with pytest.raises(
        StateError,
        match=r"net\.1 \(Adaptive\): the initial value of state b has shape \[3\], which does not "
        r"broadcast against the state \[4, 2\]$",
    ):
        net(torch.rand(4, 2))
    with pytest.raises(ConfigError, match="surrogate snncore/atan: 'initial' is not supported by"):
        snn.build("surrogate", "atan", initial={"v": 0.0})
