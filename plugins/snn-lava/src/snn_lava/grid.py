"""Loihi's numbers: which whole numbers stand for weights, decays and thresholds.

A weight w is the integer 64 w, a current or potential u the integer 4096 u, a decay d the integer
4096 d. Source of all: lava-dl 0.6 (slayer), neuron/base.py and neuron/cuba.py; Davies et al.,
Loihi: a neuromorphic manycore processor with on-chip learning, IEEE Micro 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor

from snncore.chip import IntGrid
from snncore.quantize import rounded, straight_through

WEIGHT_UNIT = 64
"""Integers of a weight in 1."""
STATE_BITS = 6
"""Left shift of synaptic input and thresholds, from weight units to state units."""
STATE_UNIT = WEIGHT_UNIT << STATE_BITS
"""Integers of a current or a potential in 1."""
DECAY_BITS = 12
DECAY_ONE = 1 << DECAY_BITS
"""The integer of a decay of 1."""
STATE_LIMIT = 1 << 23
"""Currents and potentials have 24 bits."""

WEIGHTS = IntGrid(-256, 254, 2)
BIASES = IntGrid(-4096, 4095)
THRESHOLDS = IntGrid(1, (1 << 17) - 1)
DELAYS = IntGrid(0, 62)


def on_grid(weight: Tensor) -> Tensor:
    """Weights as the chip has them: q(w) = clamp(round(32 w) / 32, -4, 254 / 64), halves to even.

    The gradient is 1 everywhere.

    Example:
        >>> (WEIGHT_UNIT * on_grid(torch.tensor([1 / 64, 3 / 64, 5 / 64, 4.0, -10.0]))).tolist()
        [0.0, 4.0, 4.0, 254.0, -256.0]
    """
    steps = WEIGHT_UNIT // WEIGHTS.step
    low, high = WEIGHTS.low / WEIGHT_UNIT, WEIGHTS.high / WEIGHT_UNIT
    return straight_through(((weight * steps).round() / steps).clamp(low, high), weight)


def decay_integer(decay: float | Tensor) -> Tensor:
    """The integer of a decay: clamp(round(4096 d), 0, 4096), halves to even, with gradient 4096.

    Example:
        >>> decay_integer(torch.tensor([0.5, 1.5, 2.5]) / 4096).tolist(), decay_integer(1.5).item()
        ([0.0, 2.0, 2.0], 4096.0)
    """
    return rounded(torch.as_tensor(decay) * DECAY_ONE).clamp(0, DECAY_ONE)


def threshold_integer(threshold: float) -> int:
    """The integer of a threshold: 64 theta without its fraction.

    Example:
        >>> threshold_integer(1.2599), threshold_integer(3.999), threshold_integer(0.01)
        (80, 255, 0)
    """
    return int(threshold * WEIGHT_UNIT)
