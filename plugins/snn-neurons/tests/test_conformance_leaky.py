from __future__ import annotations

import pytest

from snncore.testing.neuron import NeuronConformance

# The contract suite runs the kit with the defaults and with soft reset.
pytestmark = pytest.mark.slow


class TestKLIF(NeuronConformance):
    component = "snn-neurons/klif"
    variants = [
        {"k": 1.5, "scale_reset": True, "v_reset": -0.1, "decay_input": False},
        {"k": 1.5, "scale_reset": True, "v_reset": None},
    ]


class TestCLIF(NeuronConformance):
    component = "snn-neurons/clif"
    variants = [{"tau": 1.5, "surrogate": "atan", "detach_reset": True}]


class TestCubaLIF(NeuronConformance):
    component = "snn-neurons/cuba"
    variants = [{"v_reset": -0.1}, {"c_decay": 0.0, "v_decay": 0.9, "v_reset": None}]


class TestGeneralLinear(NeuronConformance):
    component = "snn-neurons/general_linear"
    variants = [{"v_reset": -0.1, "detach_reset": True}]
