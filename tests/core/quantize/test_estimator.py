"""The straight-through estimator: values to the last bit, one gradient, every way of running it."""

from __future__ import annotations

import warnings

import pytest
import torch

from snncore.quantize import rounded, straight_through

AWKWARD = [0.4, -0.3, 1.5, 2.5, 1e30, 16777217.0, float("inf"), -float("inf")]


def test_the_value_is_kept_to_the_last_bit():
    x = torch.tensor(AWKWARD, requires_grad=True)
    value = torch.tensor([0.1, -0.0, 3.0, float("inf"), 1e-45, -1e30, 0.3, float("nan")])
    y = straight_through(value, x)
    assert torch.equal(y.detach().view(torch.int32), value.view(torch.int32))
    # The usual form rounds, or makes NaN of an infinity.
    usual = (x + (value - x).detach()).detach()
    assert not torch.equal(usual.view(torch.int32), value.view(torch.int32))


def test_rounding_keeps_infinities_and_the_sign_of_zero():
    x = torch.tensor(AWKWARD, requires_grad=True)
    y = rounded(x).detach()
    assert torch.equal(y, x.detach().round())
    assert torch.equal(y.signbit(), x.detach().round().signbit())


def test_the_gradient_is_that_of_through_alone():
    x = torch.tensor([0.5, -1.5], requires_grad=True)
    cut = torch.tensor([2.0, 3.0], requires_grad=True)
    y = straight_through(cut * cut, 3 * x)
    (y * torch.tensor([1.0, 10.0])).sum().backward()
    assert x.grad.tolist() == [3.0, 30.0]
    assert cut.grad is None


def test_it_can_be_differentiated_twice():
    x = torch.tensor([0.7], requires_grad=True)
    y = straight_through(x.round(), x**3)
    (slope,) = torch.autograd.grad(y, x, create_graph=True)
    (curve,) = torch.autograd.grad(slope, x)
    assert slope.item() == pytest.approx(3 * 0.7**2)
    assert curve.item() == pytest.approx(6 * 0.7)


def test_results_may_be_changed_in_place():
    x = torch.tensor([0.7, 1.2], requires_grad=True)
    y = rounded(x)
    y.add_(1.0)
    y.sum().backward()
    assert y.tolist() == [2.0, 2.0]
    assert x.grad.tolist() == [1.0, 1.0]


def test_functional_transforms_see_through():
    x = torch.tensor([0.7, -1.2, 2.0])

    def loss(t):
        return (rounded(t) * t).sum()

    expected = x.round() + x
    assert torch.equal(torch.func.grad(loss)(x), expected)
    assert torch.equal(torch.func.vmap(rounded)(x), x.round())
    assert torch.equal(torch.func.vmap(torch.func.grad(loss))(x[:, None])[:, 0], expected)
    inside = torch.func.grad(lambda t: torch.func.vmap(rounded)(t).sum())(x)
    assert torch.equal(inside, torch.ones(3))


@pytest.mark.parametrize("grad", [True, False])
def test_it_compiles_without_graph_break(grad):
    torch.compiler.reset()
    compiled = torch.compile(lambda t: 2 * rounded(t), fullgraph=True, backend="aot_eager")
    x = torch.tensor([0.7, -1.2], requires_grad=grad)
    with warnings.catch_warnings():
        # Dynamo trips over deprecations of its own.
        warnings.simplefilter("ignore")
        y = compiled(x)
    assert y.tolist() == [2.0, -2.0]
    if grad:
        y.sum().backward()
        assert x.grad.tolist() == [2.0, 2.0]
