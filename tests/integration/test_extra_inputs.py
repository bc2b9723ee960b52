"""Noise and parameters that vary in time are further inputs of a neuron, on kernels as on eager."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

import snncore as snn
from snncore.errors import BackendError
from snncore.layers import Linear
from snncore.neuron import Neuron

BACKENDS = ("eager", "cpp")


class Noisy(Neuron):
    """Its threshold jitters; torch draws the noise outside the step, from a generator of its own.

    V[t] = V[t-1] / 2 + X[t];  S[t] = Theta(V[t] - V_th + sigma xi[t]),  xi ~ N(0, 1)
    """

    inputs = 2

    def __init__(self, sigma=0.3, *, seed=0, **options):
        super().__init__(**options)
        self.sigma = nn.Parameter(torch.tensor(sigma))
        self.generator = torch.Generator().manual_seed(seed)

    def forward(self, x, noise=None):
        if noise is None:
            noise = torch.randn(x.shape, generator=self.generator, dtype=x.dtype)
        return super().forward(x, noise)

    def step(self, *args):
        x, noise, v = args
        h = 0.5 * v + x
        s = self.fire(h + self.sigma * noise)
        return s, self.reset(h, s)


class Modulated(Neuron):
    """Its leak is given anew at every step: V[t] = V[t-1] + k[t] (X[t] - V[t-1])."""

    inputs = 2

    def step(self, *args):
        x, leak, v = args
        h = v + leak * (x - v)
        s = self.fire(h)
        return s, self.reset(h, s)


class Drawing(Neuron):
    def charge(self, x, v):
        return v + x + torch.randn_like(x)


def draw(*size, seed=0):
    return 2 * torch.rand(size, generator=torch.Generator().manual_seed(seed))


def trained(net, *inputs, mode="m"):
    """Output, last state, and gradients of inputs and parameters."""
    snn.reset(net)
    snn.set_step_mode(net, mode)
    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    steps = zip(*(x.unbind(0) for x in inputs), strict=True)
    y = net(*inputs) if mode == "m" else torch.stack([net(*now) for now in steps])
    loss = (y * draw(*y.shape, seed=5)).sum() + net.v.sum()
    grads = torch.autograd.grad(loss, [*inputs, *net.parameters()])
    return y.detach(), net.v.detach(), *grads


def assert_same(found, expected):
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])
    for a, b in zip(found[2:], expected[2:], strict=True):
        assert a.shape == b.shape
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["s", "m"])
def test_noise_from_a_generator_is_the_same_on_every_backend(mode):
    found = [trained(Noisy(seed=3, backend=name), draw(6, 4, 3), mode=mode) for name in BACKENDS]
    assert_same(*found)
    other = trained(Noisy(seed=4), draw(6, 4, 3), mode=mode)
    assert not torch.equal(other[0], found[0][0])


def test_given_noise_is_the_same_in_both_modes():
    x, noise = draw(6, 4, 3), torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(1))
    found = [trained(Noisy(backend=b), x, noise, mode=m) for b in BACKENDS for m in ("s", "m")]
    for other in found[1:]:
        assert_same(found[0], other)
    # Noise has a gradient, and so has its strength.
    assert found[0][3].abs().sum() > 0
    assert found[0][4].abs() > 0


def test_a_noisy_neuron_is_a_layer_among_others():
    def outputs(backend):
        torch.manual_seed(0)
        net = nn.Sequential(Linear(3, 8), Noisy(seed=2, backend=backend), Linear(8, 2))
        snn.set_step_mode(net, "m")
        return [net(draw(6, 4, 3, seed=i)) for i in range(2)]

    found, expected = outputs("cpp"), outputs("eager")
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert not torch.equal(found[0], found[1])


def test_a_copy_goes_on_with_the_same_noise():
    net = Noisy(seed=7, step_mode="m")
    net(draw(6, 4, 3))
    twins = [copy.deepcopy(net), pickle.loads(pickle.dumps(net))]
    expected = net(draw(6, 4, 3, seed=1))
    assert all(torch.equal(twin(draw(6, 4, 3, seed=1)), expected) for twin in twins)


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize(
    "shape", [(6, 4, 3), (6, 1, 3), (6, 4, 1), (6, 1, 1), (6, 3), (6, 1)], ids=str
)
def test_a_parameter_that_varies_in_time_broadcasts_at_each_step(shape, mode):
    leak = draw(*shape, seed=1) / 2
    found = [trained(Modulated(backend=b), draw(6, 4, 3), leak, mode=mode) for b in BACKENDS]
    assert_same(*found)
    x = draw(6, 4, 3)
    v = torch.zeros(4, 3)
    for now, k, s in zip(x, leak, found[1][0], strict=True):
        h = v + k * (now - v)
        assert torch.equal(s, (h >= 1).float())
        v = torch.where(h >= 1, 0.0, h)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [(5, 4, 3), (1, 4, 3), (6, 2, 3), (6, 4, 4), (6, 2, 4, 3)])
def test_an_input_that_does_not_fit_is_refused(shape, backend):
    net = Modulated(step_mode="m", backend=backend)
    with pytest.raises(
        ValueError,
        match=r"Modulated: input 1 is \[.*\], input 0 is \[6, 4, 3\]; a further input takes "
        r"\[T, \*\] with the same T and \* that broadcasts against input 0",
    ):
        net(draw(6, 4, 3), draw(*shape))


def test_a_learnt_course_of_a_parameter_gets_its_gradient():
    class Scheduled(Modulated):
        """A leak for each of six steps, learnt."""

        def __init__(self, **options):
            super().__init__(**options)
            self.course = nn.Parameter(torch.linspace(0.2, 0.9, 6))

        def forward(self, x):
            return super().forward(x, self.course.view(-1, 1, 1))

    fast, slow = (trained(Scheduled(backend=name), draw(6, 4, 3)) for name in ("cpp", "eager"))
    assert_same(fast, slow)
    assert fast[-1].shape == (6,)


def test_noise_drawn_inside_a_step_is_refused_with_the_way_out(monkeypatch):
    text = (
        r"randn_like\.default draws random numbers at .*test_extra_inputs\.py, line \d+; pass the "
        r"noise in as a further input, drawn by torch outside the step"
    )
    with pytest.raises(BackendError, match=text):
        Drawing(backend="cpp")(draw(4, 3))
    monkeypatch.setenv("SNN_KERNELS_STRICT", "1")
    with pytest.raises(BackendError, match=text):
        Drawing()(draw(4, 3))
