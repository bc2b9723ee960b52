"""Surrogates against closed forms at known points; the kit tests their behaviour."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import snncore as snn
from snncore.neuron import Neuron
from snncore.surrogate import ATan, Surrogate, as_surrogate

POINTS = torch.tensor([-2.0, -0.5, -0.1, 0.0, 0.1, 0.5, 2.0], dtype=torch.float64)


def closed_forms(x: float) -> dict[str, tuple[float, float]]:
    """(derivative, primitive) at the default parameters, in plain Python."""
    s = 1 / (1 + math.exp(-4 * x))
    inside = abs(x) <= 1
    half = abs(x) < 0.5
    return {
        "sigmoid": (4 * s * (1 - s), s),
        "atan": (1 / (1 + (math.pi * x) ** 2), math.atan(math.pi * x) / math.pi + 0.5),
        "triangle": (
            1 - abs(x) if inside else 0.0,
            -abs(x) * x / 2 + x + 0.5 if inside else float(x > 0),
        ),
        "soft_sign": (1 / (4 * (0.5 + abs(x)) ** 2), (2 * x / (1 + abs(2 * x)) + 1) / 2),
        "erf": (2 / math.sqrt(math.pi) * math.exp(-4 * x * x), math.erfc(-2 * x) / 2),
        "rect": (1.0 if half else 0.0, min(max(x + 0.5, 0.0), 1.0)),
    }


@pytest.mark.parametrize("name", sorted(closed_forms(0.0)))
def test_derivative_and_primitive_at_known_points(name):
    surrogate = snn.build("surrogate", name)
    derivative, primitive = surrogate.derivative(POINTS), surrogate.primitive(POINTS)
    for x, d, p in zip(POINTS.tolist(), derivative.tolist(), primitive.tolist(), strict=True):
        expected = closed_forms(x)[name]
        assert d == pytest.approx(expected[0], abs=1e-14)
        assert p == pytest.approx(expected[1], abs=1e-14)


def test_aliases_are_the_same_class():
    assert snn.get("surrogate", "triangle") is snn.get("surrogate", "piecewise_quadratic")


def test_per_channel_steepness_is_a_buffer():
    surrogate = ATan([1.0, 4.0])
    assert set(dict(surrogate.named_buffers())) == {"alpha"}
    assert surrogate.derivative(torch.zeros(3, 2))[0].tolist() == [0.5, 2.0]


def test_learnable_steepness_receives_the_primitives_gradient():
    class Leaky(Neuron):
        def charge(self, x, v):
            return 0.5 * v + x

    neuron = Leaky(surrogate=ATan(nn.Parameter(torch.tensor(2.0, dtype=torch.float64))))
    x = torch.tensor([[0.7, 1.2, 0.9]], dtype=torch.float64)
    neuron(x).sum().backward()
    alpha = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    (torch.atan(math.pi / 2 * alpha * (x - 1)) / math.pi + 0.5).sum().backward()
    assert neuron.surrogate.alpha.grad == pytest.approx(alpha.grad.item())


@pytest.mark.parametrize("learned", [True, False])
def test_tensors_handed_in_are_those_that_backward_uses(learned):
    alpha = torch.tensor([1.0, 3.0], dtype=torch.float64)
    surrogate = ATan(nn.Parameter(alpha) if learned else alpha)
    x = torch.tensor([0.25, -0.5], dtype=torch.float64, requires_grad=True)
    other = torch.tensor([2.0, 5.0], dtype=torch.float64, requires_grad=learned)
    torch.func.functional_call(surrogate, {"alpha": other}, (x,)).sum().backward()
    scaled = math.pi / 2 * other.detach() * x.detach()
    assert torch.allclose(x.grad, other.detach() / 2 / (1 + scaled**2))
    if learned:
        assert torch.allclose(other.grad, x.detach() / 2 / (1 + scaled**2))


def test_a_used_surrogate_is_frozen_and_the_text_says_what_to_do():
    surrogate = ATan()
    surrogate.alpha = 3.0
    surrogate(torch.zeros(1))
    with pytest.raises(
        AttributeError,
        match=r"ATan is frozen once used; to change 'alpha', assign a new ATan to the neuron's",
    ):
        surrogate.alpha = 4.0
    surrogate.train()
    surrogate.to(torch.float64)


def test_what_a_subclass_left_out_is_named():
    class Empty(Surrogate): ...

    with pytest.raises(TypeError, match=r"Empty must define derivative\(x\)"):
        Empty().derivative(POINTS)
    with pytest.raises(TypeError, match=r"Empty defines no primitive\(x\); smooth mode"):
        Empty(spiking=False)(POINTS)


def test_a_third_partys_surrogate_needs_two_methods_only():
    class Straight(Surrogate):
        def derivative(self, x):
            return torch.ones_like(x)

        def primitive(self, x):
            return x

    x = POINTS.clone().requires_grad_()
    (Straight()(x) * POINTS).sum().backward()
    assert torch.equal(x.grad, POINTS)


class Steps(Surrogate):
    """Counts multiples of a step, which may be learnt; its gradient is that of a line."""

    def __init__(self, step=1.0, *, spiking=True):
        super().__init__(spiking=spiking)
        self.set_numeric("step", step)

    def spike(self, x):
        return (x / self.step).round()

    def derivative(self, x):
        return torch.ones_like(x) / self.step

    def primitive(self, x):
        return x / self.step


@pytest.mark.parametrize("learned", [False, True])
def test_a_surrogate_may_have_another_forward(learned):
    step = torch.tensor(0.5, dtype=torch.float64)
    surrogate = Steps(nn.Parameter(step)) if learned else Steps(0.5)
    x = POINTS.clone().requires_grad_()
    y = surrogate(x)
    assert y.tolist() == [round(value / 0.5) for value in POINTS.tolist()]
    (y * POINTS).sum().backward()
    assert torch.equal(x.grad, POINTS / 0.5)
    if learned:
        assert surrogate.step.grad == pytest.approx(-(POINTS**2).sum().item() / 0.25)
    assert torch.equal(torch.func.vmap(surrogate)(POINTS), y)


def test_another_forward_uses_the_tensors_handed_in():
    surrogate = Steps(nn.Parameter(torch.tensor(1.0, dtype=torch.float64)))
    other = torch.tensor(0.25, dtype=torch.float64, requires_grad=True)
    y = torch.func.functional_call(surrogate, {"step": other}, (POINTS,))
    assert torch.equal(y, (POINTS / 0.25).round())
    per_sample = torch.func.vmap(
        lambda step, x: torch.func.functional_call(surrogate, {"step": step}, (x,))
    )
    steps = torch.tensor([0.25, 2.0], dtype=torch.float64)
    got = per_sample(steps, POINTS.expand(2, -1))
    assert torch.equal(got, torch.stack([(POINTS / step).round() for step in steps]))


@pytest.mark.parametrize("learned", [False, True])
def test_another_forward_runs_in_kernels(learned):
    class Counter(Neuron):
        def charge(self, x, v):
            return 0.5 * v + x

    runs = []
    for backend in ("eager", None):
        step = nn.Parameter(torch.tensor(0.4)) if learned else 0.4
        neuron = Counter(surrogate=Steps(step), v_reset=None, step_mode="m", backend=backend)
        x = torch.rand(5, 4, 3, generator=torch.Generator().manual_seed(0)) * 3
        x.requires_grad_()
        y = neuron(x)
        (y * x.detach()).sum().backward()
        runs.append((y.detach(), x.grad, neuron.surrogate.step.grad if learned else x.grad))
    assert len(runs[0][0].unique()) > 3
    for a, b in zip(*runs, strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)


def test_as_surrogate_refuses_other_things():
    with pytest.raises(
        TypeError, match="surrogate must be a name, a table or a Surrogate, got int"
    ):
        as_surrogate(3)


def test_double_backward_differentiates_the_derivative():
    x = POINTS.clone().requires_grad_()
    (grad,) = torch.autograd.grad(ATan()(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(grad.sum(), x)
    scaled = (math.pi * POINTS) ** 2
    assert torch.allclose(second, -2 * math.pi**2 * POINTS / (1 + scaled) ** 2)
