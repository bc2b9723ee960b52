from __future__ import annotations

import numpy as np
import pytest
import torch

import snncore
from snncore.testing.neuron import NeuronConformance
from snncore.testing.recurrence import Leaky

RESETS = [{}, {"v_reset": None}, {"v_reset": -0.1}, {"detach_reset": True}]


def atan_derivative(x):
    return 1.0 / (1.0 + (np.pi * x) ** 2)


def by_hand(net, leak, *, decay_input):
    return Leaky(
        leak=leak,
        scale=leak if decay_input else 1.0,
        derivative=atan_derivative,
        v_threshold=net.v_threshold,
        v_reset=net.v_reset,
        detach_reset=net.detach_reset,
    )


class TestIF(NeuronConformance):
    component = "snn-neurons/if"
    variants = RESETS[:2]

    def recurrence(self, net):
        return by_hand(net, 0.0, decay_input=False)


class TestLIF(NeuronConformance):
    component = "snn-neurons/lif"
    variants = [*RESETS, {"decay_input": False}]

    def recurrence(self, net):
        return by_hand(net, 1.0 / net.tau, decay_input=net.decay_input)


class TestPLIF(NeuronConformance):
    component = "snn-neurons/plif"
    variants = [*RESETS[:2], {"decay_input": False}]

    def recurrence(self, net):
        return by_hand(net, net.w.detach().sigmoid().item(), decay_input=net.decay_input)


class TestALIF(NeuronConformance):
    component = "snn-neurons/alif"
    variants = [
        {},
        {"beta": 0.7, "rho": 0.4, "v_reset": None, "detach_reset": True},
    ]


class TestIzhikevich(NeuronConformance):
    component = "snn-neurons/izhikevich"
    variants = [
        {"a": 0.3, "b": 0.5, "w_rest": 0.1},
        {"a": 0.3, "b": 0.5, "v_reset": None, "detach_reset": True},
    ]


@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("name", ["lif", "plif"])
def test_time_constant_gradient_by_hand(name, reset, decay_input):
    tau = 2.5
    parameter = {"lif": "tau", "plif": "init_tau"}[name]
    params = {parameter: tau, **reset, "decay_input": decay_input}
    learnable = {"learnable": ["tau"]} if name == "lif" else {}
    net = snncore.build("neuron", name, **params, **learnable, step_mode="m").double()
    x = torch.rand(6, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3
    y = net(x)
    y.sum().backward()

    learned = net.tau if name == "lif" else net.w
    leak = 1.0 / tau if name == "lif" else learned.detach().sigmoid().item()
    written = by_hand(net, leak, decay_input=decay_input)
    spikes, _ = written.forward(x.numpy())
    found = written.backward(np.ones(x.shape), np.zeros(x.shape[1:]))
    # 1/tau is the leak, and the input factor too where the input decays.
    by_leak = (found.leak + (found.scale if decay_input else 0.0)).sum()
    slope = -1.0 / tau**2 if name == "lif" else leak * (1.0 - leak)
    assert 0 < spikes.sum() < spikes.size
    assert np.array_equal(y.detach().numpy(), spikes)
    assert learned.grad.item() == pytest.approx(by_leak * slope, rel=1e-10)
