from __future__ import annotations

import pytest

from snncore.testing.neuron import NeuronConformance

# The contract suite runs the kit with the defaults and with soft reset.
pytestmark = pytest.mark.slow


class TestRAF(NeuronConformance):
    component = "snn-neurons/raf"
    variants = [{"v_reset": -0.1}, {"b": -0.05, "omega": 2.0, "dt": 0.5, "v_reset": None}]


class TestResonateAndFire(NeuronConformance):
    component = "snn-neurons/resonate_and_fire"
    variants = [
        {"b": -0.05, "omega": 2.0, "dt": 0.5, "v_threshold": 0.8, "v_reset": 0.2, "u_reset": -0.1},
    ]
