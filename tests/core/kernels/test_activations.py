"""Activations of torch in a step: captured, and equal to eager in values and gradients."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from snncore.kernels.capture import capture
from snncore.kernels.cpp import CppBackend
from snncore.neuron import Neuron

_spec = importlib.util.spec_from_file_location(
    "equality_of_activations", Path(__file__).with_name("test_equality.py")
)
equality = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(equality)

ACTIVATIONS = {
    name: getattr(functional, name)
    for name in (
        "relu",
        "relu6",
        "leaky_relu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "mish",
        "softplus",
        "logsigmoid",
        "softsign",
        "hardtanh",
        "hardsigmoid",
        "hardswish",
        "tanhshrink",
    )
}


class Activated(Neuron):
    def __init__(self, name, **options):
        super().__init__(**options)
        self.name = name

    def charge(self, x, v):
        return 0.5 * v + ACTIVATIONS[self.name](3 * x)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_captured(name):
    captured = capture(Activated(name), torch.Size((4, 3)), torch.float32)
    assert len(captured.values) == 2


@pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_in_a_kernel_equals_eager(name, monkeypatch):
    monkeypatch.setitem(equality.MODELS, name, lambda **options: Activated(name, **options))
    monkeypatch.setattr(equality, "ROUNDED", {name})
    equality.check((name, 0.0, False, "atan", "single"))


def test_an_approximate_gelu_is_captured():
    class Approximate(Neuron):
        def charge(self, x, v):
            return v + functional.gelu(x, approximate="tanh")

    assert capture(Approximate(), torch.Size((4, 3)), torch.float32)
