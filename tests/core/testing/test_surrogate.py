"""Deliberately wrong surrogates: each promise of the kit catches the one that breaks it."""

from __future__ import annotations

from typing import Annotated

import pytest
import torch
from annotated_types import Gt

from snncore.config import Numeric
from snncore.surrogate import Surrogate
from snncore.testing.surrogate import SurrogateConformance

SHARED = torch.ones(())


class Right(Surrogate):
    """Logistic, the surrogate that all the wrong ones are made from."""

    def __init__(self, alpha: Annotated[Numeric, Gt(0)] = 4.0, *, spiking: bool = True) -> None:
        super().__init__(spiking=spiking)
        self.keep(alpha)

    def keep(self, alpha):
        self.set_numeric("alpha", alpha)

    def derivative(self, x):
        s = torch.sigmoid(self.alpha * x)
        return self.alpha * s * (1.0 - s)

    def primitive(self, x):
        return torch.sigmoid(self.alpha * x)


class StrictlyGreater(Right):
    def forward(self, x):
        return super().forward(x) * (x != 0)


class FiresOnNaN(Right):
    def forward(self, x):
        return torch.where(x.isnan(), torch.ones_like(x), super().forward(x))


class AlwaysFloat32(Right):
    def derivative(self, x):
        return super().derivative(x).float()


class BackwardOfItsOwn(Right):
    def forward(self, x):
        return super().forward(2.0 * x)


class NotThePrimitive(Right):
    def primitive(self, x):
        return torch.sigmoid(2.0 * self.alpha * x)


class SteeperThanItself(Right):
    def forward(self, x):
        y = super().forward(x)
        return y if self.spiking else 2.0 * y - y.detach()


class InfiniteAtZero(Right):
    def derivative(self, x):
        return super().derivative(x) * (1.0 + 0.0 / x.abs())


class Negative(Right):
    def derivative(self, x):
        return super().derivative(x) - 1e-3


class NeverFrozen(Right):
    def __setattr__(self, name, value):
        torch.nn.Module.__setattr__(self, name, value)


class SharesATensor(Right):
    def keep(self, alpha):
        super().keep(alpha)
        self.register_buffer("shared", SHARED)


class HoldsLambda(Right):
    def keep(self, alpha):
        super().keep(alpha)
        self.hook = lambda: None


class ForgetsAlpha(Right):
    def keep(self, alpha):
        super().keep(alpha if isinstance(alpha, torch.Tensor) else 2.0 * alpha)


class DropsAlpha(Right):
    def forward(self, x):
        y = super().forward(x)
        return y.detach() + (y - y.detach()) * 2.0


class Branches(Right):
    def forward(self, x):
        return super().forward(x) if x.sum() > -1e9 else x


class DrawsInSecret(Right):
    def spike(self, x):
        return (torch.rand_like(x) < 0.5).to(x.dtype)


@pytest.mark.parametrize(
    ("wrong", "test", "arguments", "text"),
    [
        (StrictlyGreater, "forward_is_the_heaviside_step", (torch.float32,), r"Theta\(0\) = 1"),
        (DrawsInSecret, "equal_seeds_give_equal_forwards", (), "forward without a seed"),
        (FiresOnNaN, "forward_of_nan_is_silent", (), "the spike of NaN"),
        (
            AlwaysFloat32,
            "shape_dtype_and_device_are_kept",
            ((2,), True),
            "derivative is torch.float32",
        ),
        (BackwardOfItsOwn, "backward_is_the_derivative", (), "backward against derivative"),
        (NotThePrimitive, "derivative_is_that_of_the_primitive", (), "autograd of primitive"),
        (SteeperThanItself, "smooth_mode_is_differentiable", (), "differs from finite differences"),
        (InfiniteAtZero, "derivative_is_finite_everywhere", (torch.float32,), "not finite at"),
        (Negative, "derivative_is_not_negative", (), "derivative is negative at"),
        (NeverFrozen, "frozen_once_used", (), "DID NOT RAISE"),
        (SharesATensor, "instances_share_nothing", (), "share a tensor"),
        (HoldsLambda, "pickle_and_deepcopy", (), "pickle"),
        (ForgetsAlpha, "config_round_trip", (), "config -> instance -> config"),
        (
            DropsAlpha,
            "learnable_parameter_gets_the_gradient_of_the_primitive",
            (),
            "learnable alpha",
        ),
        (Branches, "torch_func", (), "vmap|data-dependent"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_a_wrong_surrogate_is_caught(adopt, caught, wrong, test, arguments, text):
    kit = adopt(SurrogateConformance, wrong)
    with pytest.raises(caught, match=text):
        getattr(kit, f"test_{test}")({}, *arguments)
    getattr(adopt(SurrogateConformance, Right), f"test_{test}")({}, *arguments)


def test_a_random_forward_passes_where_it_is_declared(adopt):
    class Drawn(DrawsInSecret):
        conformance = {"deterministic": False, "heaviside": False, "reason": "it draws"}

    kit = adopt(SurrogateConformance, Right, make=lambda self, **params: Drawn(**params))
    for name, value in Drawn.conformance.items():
        setattr(kit, name, value)
    for test in ("equal_seeds_give_equal_forwards", "pickle_and_deepcopy", "torch_func"):
        if test == "pickle_and_deepcopy":
            kit.make = lambda **params: DrawsInSecret(**params)
        getattr(kit, f"test_{test}")({})


def test_points_keep_away_from_declared_kinks(adopt):
    free = adopt(SurrogateConformance, Right)._points()
    kink = free[0].item()
    kinked = adopt(SurrogateConformance, Right, kinks=(kink,))._points()
    assert (kinked - kink).abs().min() > 1e-3
    assert torch.equal(kinked[1:], free[1:])
