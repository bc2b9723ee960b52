"""Neurons whose output is more than 0 or 1."""

from __future__ import annotations

import pytest

from snn_neurons import ILIF, LIAF
from snncore.testing.neuron import NeuronConformance

# The contract suite runs the kit with the defaults and with soft reset.
pytestmark = pytest.mark.slow


class TestTernaryIF(NeuronConformance):
    component = "snn-neurons/ternary_if"
    variants = [{"v_reset": -0.1}]


class TestTernaryLIF(NeuronConformance):
    component = "snn-neurons/ternary_lif"
    variants = [{"decay_input": False, "v_threshold": 0.6, "v_reset": None}]


class TestILIF(NeuronConformance):
    component = "snn-neurons/ilif"
    variants = [{"D": 2, "tau": 2.0, "v_threshold": 0.5, "detach_reset": True}]


class TestLIAF(NeuronConformance):
    component = "snn-neurons/liaf"
    # V_th acts in the reset alone: hard and detached, it would have no gradient at all.
    variants = [
        {"v_reset": None, "detach_reset": True},
        {"act": "softplus", "threshold_related": True, "decay_input": False, "v_reset": -0.1},
    ]


@pytest.mark.parametrize("D", [0, -1])
def test_the_number_of_spikes_must_be_positive(D):
    with pytest.raises(ValueError, match=rf"^ILIF: D must be >= 1, got {D}$"):
        ILIF(D=D)


def test_an_unknown_activation_is_named():
    with pytest.raises(ValueError, match=r"^LIAF: act must be one of relu, .*, got 'step'$"):
        LIAF(act="step")
