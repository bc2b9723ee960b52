"""Shapes that share one captured step: found once, right for each, and never too wide."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import snncore as snn
from snncore.kernels import plans
from snncore.kernels.capture import capture
from snncore.kernels.content import Content
from snncore.kernels.cpp import CppBackend
from snncore.neuron import Neuron

compiled = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)


class Plain(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


class Channel(Neuron):
    """A learnt value per channel, whose gradient is a sum over the batch."""

    def __init__(self, **options):
        super().__init__(**options)
        self.leak = nn.Parameter(torch.tensor([0.2, 0.5, 0.7]))

    def charge(self, x, v):
        return self.leak * v + x


class PerSample(Neuron):
    def __init__(self, **options):
        super().__init__(**options)
        self.leak = nn.Parameter(torch.full((4, 1), 0.5))

    def charge(self, x, v):
        return self.leak * v + x


class Asking(Neuron):
    def charge(self, x, v):
        return v + x if x.shape[0] < 5 else v + 2.0 * x


class AskingOddly(Neuron):
    """Asks without a word that could be found."""

    def charge(self, x, v):
        return v + x * float(getattr(x, "sha" + "pe")[0])


class Constant(Neuron):
    def charge(self, x, v):
        return v + x * torch.tensor([1.0, 0.5, 0.25])


@pytest.fixture
def captured(monkeypatch, tmp_path):
    """The shapes captured for the plans of a module, run after run."""
    monkeypatch.setenv("SNN_CACHE", str(tmp_path))
    asked = []

    def recall(module, *shape):
        def make(wanted):
            if wanted == torch.Size(shape):
                asked.append(shape)
            return capture(module, wanted, torch.float32)

        plans.recall(Content(module), torch.Size(shape), torch.float32, make)
        return list(asked)

    return recall


def test_a_step_without_tensors_is_captured_once_for_all_shapes(captured):
    captured(Plain(), 4, 3)
    captured(Plain(), 9, 3)
    captured(Plain(), 1)
    assert captured(Plain(), 2, 3, 8, 8) == [(4, 3)]


def test_a_step_with_parameters_is_captured_once_for_all_batches_but_of_one(captured):
    captured(Channel(), 4, 3)
    captured(Channel(), 100, 3)
    assert captured(Channel(), 2, 3) == [(4, 3)]
    captured(Channel(), 1, 3)
    assert captured(Channel(), 4, 6, 3) == [(4, 3), (1, 3), (4, 6, 3)]
    assert captured(Channel(), 5, 6, 3) == [(4, 3), (1, 3), (4, 6, 3)]


def test_constants_of_a_step_bind_all_but_the_batch(captured):
    captured(Constant(), 4, 3)
    captured(Constant(), 7, 3)
    assert captured(Constant(), 7, 1, 3) == [(4, 3), (7, 1, 3)]


@pytest.mark.parametrize("model", [Asking, AskingOddly])
def test_a_step_that_asks_for_its_shape_is_captured_for_each(captured, model):
    captured(model(), 4, 3)
    captured(model(), 5, 3)
    assert captured(model(), 4, 3) == [(4, 3), (5, 3)]


def test_a_parameter_of_the_batch_binds_its_size(captured):
    captured(PerSample(), 4, 3)
    assert captured(PerSample(), 4, 3) == [(4, 3)]
    captured(PerSample(), 4, 5)
    assert captured(PerSample(), 4, 5) == [(4, 3), (4, 5)]


@compiled
@pytest.mark.parametrize("model", [Plain, Channel, Asking, AskingOddly])
@pytest.mark.parametrize("shapes", [((4, 3), (1, 3), (7, 3)), ((1, 3), (5, 3), (2, 5, 3))])
def test_every_shape_of_a_family_is_right(monkeypatch, tmp_path, model, shapes):
    monkeypatch.setenv("SNN_CACHE", str(tmp_path))
    torch.manual_seed(0)
    fast, slow = model(step_mode="m", backend="cpp"), model(step_mode="m", backend="eager")
    for shape in shapes:
        x = torch.randn(6, *shape) * 1.5
        found = []
        for net in (fast, slow):
            snn.reset(net)
            net.zero_grad()
            leaf = x.clone().requires_grad_()
            y = net(leaf)
            (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
            found.append([y.detach(), leaf.grad, *(p.grad for p in net.parameters())])
        for got, expected in zip(*found, strict=True):
            assert_close(got, expected, rtol=2e-6, atol=2e-6)


def test_a_step_that_fails_for_another_shape_is_stored_for_its_own(captured):
    class Narrow(Neuron):
        def charge(self, x, v):
            if getattr(x, "sha" + "pe")[0] != 4:
                raise ValueError("four samples only")
            return v + x

    captured(Narrow(), 4, 3)
    assert captured(Narrow(), 4, 3) == [(4, 3)]
    with pytest.raises(ValueError, match="four samples only"):
        captured(Narrow(), 5, 3)
