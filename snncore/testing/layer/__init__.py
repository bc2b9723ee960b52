"""The conformance kit of layers and containers."""

from __future__ import annotations

from snncore.testing.layer.copies import Copies
from snncore.testing.layer.memory import Memory
from snncore.testing.layer.modes import Modes
from snncore.testing.layer.training import Training


class LayerConformance(Modes, Memory, Training, Copies):
    """Everything a time-aware layer or container promises, as tests.

    Attributes: see :class:`snncore.testing.layer.subject.Subject`.

    Example:
        >>> class TestConv2d(LayerConformance):
        ...     component = "snncore/conv2d"
        ...     variants = ({"in_channels": 2, "out_channels": 3, "kernel_size": 3},)
        ...     shape = (2, 5, 5)
    """
