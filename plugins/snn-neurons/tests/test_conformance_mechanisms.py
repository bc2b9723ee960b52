"""The kit on neurons with a mechanism of their own: refractoriness, synapses, noise, gates, ...

The contract suite runs it with their defaults and with soft reset; here are other values.
"""

from __future__ import annotations

import pytest

from snncore.testing.neuron import NeuronConformance

# The contract suite runs the kit with the defaults and with soft reset.
pytestmark = pytest.mark.slow


class TestRefractoryLIF(NeuronConformance):
    component = "snn-neurons/refractory_lif"
    variants = [{"decay_input": False, "refractory": 1, "v_reset": -0.1}]


class TestSynapticLIF(NeuronConformance):
    component = "snn-neurons/synaptic_lif"
    variants = [{"tau_rise": 3.0, "tau_decay": 3.0, "detach_reset": True}]


class TestConductanceLIF(NeuronConformance):
    component = "snn-neurons/conductance_lif"
    variants = [{"tau": 3.0, "e_i": -1.0, "v_rest": 0.2, "v_reset": -0.1}]


class TestNoisyLIF(NeuronConformance):
    component = "snn-neurons/noisy_lif"
    variants = [{"sigma": 0.7, "seed": 3, "detach_reset": True}]


class TestEscapeRate(NeuronConformance):
    component = "snn-neurons/escape_rate"
    variants = [{"delta": 0.6, "rate": 0.3, "seed": 3, "surrogate": "atan"}]


class TestGLIF(NeuronConformance):
    component = "snn-neurons/glif"


class TestOTTTLIF(NeuronConformance):
    component = "snn-neurons/ottt_lif"
    variants = [{"v_reset": 0.0, "decay_input": True, "detach_reset": False}]


class TestSLTTLIF(NeuronConformance):
    component = "snn-neurons/sltt_lif"
    variants = [{"decay_input": False, "detach_reset": False}]


class TestIntegrator(NeuronConformance):
    component = "snn-neurons/integrator"


class TestLeakyIntegrator(NeuronConformance):
    component = "snn-neurons/leaky_integrator"
    variants = [{"tau": 5.0}]


class TestPSN(NeuronConformance):
    component = "snn-neurons/psn"


class TestMaskedPSN(NeuronConformance):
    component = "snn-neurons/masked_psn"


class TestSlidingPSN(NeuronConformance):
    component = "snn-neurons/sliding_psn"
    variants = [{"k": 9, "surrogate": "sigmoid"}]
