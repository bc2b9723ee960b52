from __future__ import annotations

import pytest

from snncore.testing.neuron import NeuronConformance

# The contract suite runs the kit with the defaults and with soft reset.
pytestmark = pytest.mark.slow


class TestQIF(NeuronConformance):
    component = "snn-neurons/qif"
    variants = [{"v_reset": None, "tau": 1.5, "a0": 0.4, "v_c": 0.6, "v_rest": -0.2}]


class TestEIF(NeuronConformance):
    component = "snn-neurons/eif"
    variants = [{"v_reset": None, "tau": 1.5, "delta_t": 0.6, "theta_rh": 0.9, "v_rest": -0.2}]


class TestAdEx(NeuronConformance):
    component = "snn-neurons/adex"
    variants = [
        {"a": 0.3, "b": 0.5, "w_rest": 0.1},
        {"a": 0.3, "b": 0.5, "v_reset": None, "detach_reset": True},
    ]
