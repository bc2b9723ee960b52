"""The conformance kit of neurons."""

from __future__ import annotations

from snncore.testing.neuron.backends import Backends
from snncore.testing.neuron.copies import Copies
from snncore.testing.neuron.gradients import Gradients
from snncore.testing.neuron.memory import Memory
from snncore.testing.neuron.modes import Modes
from snncore.testing.neuron.parameters import Parameters


class NeuronConformance(Modes, Memory, Gradients, Parameters, Copies, Backends):
    """Everything a neuron of the platform promises, as tests.

    Attributes: see :class:`snncore.testing.neuron.subject.Subject`.

    Example:
        >>> class TestLIF(NeuronConformance):
        ...     component = "snn-neurons/lif"
        ...     variants = ({}, {"v_reset": None}, {"detach_reset": True})
    """
