"""The datasets of a ``.net`` file: their names, axes and numbers, for writing and reading alike.

``layer/<i>`` holds ``type`` and ``shape`` (of its output), the datasets of its type, and
``neuron/*``. Weights are the integers 64 w, decays 4096 d.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from snn_lava.grid import BIASES, DECAY_ONE, DELAYS, THRESHOLDS, WEIGHTS
from snncore.chip import IntGrid

FORMAT = "lava-net"
VERSION = "1"
GRADED = "graded spikes reach Lava by no file: simulate only"

DECAYS = IntGrid(0, DECAY_ONE)
SIZES = IntGrid(1, 1 << 27)
"""Of axes, and of all neurons of a layer: a hundred Loihi 2 chips are less."""
PADDINGS = IntGrid(0, SIZES.high)

Axis: TypeAlias = str | int


@dataclass(frozen=True)
class Numbers:
    """A dataset of whole numbers.

    Args:
        axes: sizes, by name or as numbers; ``()`` for a single number.
        grid: from ``low`` to ``high``. Steps are not asked for: odd weights are run too.
        states: names of the sizes that its numbers repeat, in order.
        required: whether Lava needs it.
        single: whether one number may stand for all.
        advice: what to do about a number outside the grid.
    """

    axes: tuple[Axis, ...]
    grid: IntGrid
    states: tuple[Axis, ...] = ()
    required: bool = True
    single: bool = False
    advice: str = ""


Table: TypeAlias = Mapping[str, Numbers]

SHAPE = Numbers(("axes",), SIZES)

_QUANTISED = "quantise the network before its export"
_PARTS: Table = {
    "delay": Numbers(("out",), DELAYS, required=False),
    "bias": Numbers(("out",), BIASES, required=False),
}
INPUT: Table = {}
DENSE: Table = {
    "weight": Numbers(("out", "in"), WEIGHTS, advice=_QUANTISED),
    "inFeatures": Numbers((), SIZES, ("in",), required=False),
    "outFeatures": Numbers((), SIZES, ("out",), required=False),
    **_PARTS,
}
DENSE_REC: Table = {
    **{name: numbers for name, numbers in DENSE.items() if name != "delay"},
    "weight_rec": Numbers(("out", "out"), WEIGHTS, advice=_QUANTISED),
}
CONV: Table = {
    "weight": Numbers(("out", "in / groups", "height", "width"), WEIGHTS, advice=_QUANTISED),
    "inChannels": Numbers((), SIZES, ("in",), required=False),
    "outChannels": Numbers((), SIZES, ("out",), required=False),
    "kernelSize": Numbers((2,), SIZES, ("height", "width"), required=False),
    "stride": Numbers((2,), SIZES),
    "padding": Numbers((2,), PADDINGS),
    "dilation": Numbers((2,), SIZES),
    "groups": Numbers((), SIZES),
    "bias": _PARTS["bias"],
}
FLATTEN: Table = {}
LAYERS: Mapping[str, Table] = {
    "input": INPUT,
    "dense": DENSE,
    "dense_rec": DENSE_REC,
    "conv": CONV,
    "flatten": FLATTEN,
}

NEURON_TYPES = ("CUBA", "LOIHI")
"""Two names of one neuron."""
NEURON: Table = {
    "iDecay": Numbers(("out",), DECAYS, single=True),
    "vDecay": Numbers(("out",), DECAYS, single=True),
    "vThMant": Numbers((), THRESHOLDS, advice="scale it and the weights by one factor"),
    "refDelay": Numbers(
        (), IntGrid(1, 1), required=False, advice="Lava runs no refractory time: train without one"
    ),
    "gradedSpike": Numbers((), IntGrid(0, 0), required=False, advice=GRADED),
}

UNKNOWN_TYPES: Mapping[str, str] = {
    "pool": "write sum pooling as a convolution with one group per channel",
    "unpool": "leave it out of what goes to the chip",
    "convT": "leave it out of what goes to the chip",
    "average": "average on the host what the chip gives",
    "concat": "Lava runs chains of layers only",
}
"""What slayer writes and Lava does not run, with what to do instead."""
UNKNOWN_NEURONS = "other neurons are not supported: train the network with current-based LIF"
UNKNOWN_NAMES: Mapping[str, str] = {
    "delay": "Lava ignores delays of a convolution, and delays feedback too: train without them",
    "neuron": "encode the input on the host, and leave the neurons out of this layer",
    "weight_exp": "Lava ignores it: scale the weights themselves",
    "messageBits": GRADED,
}
"""Datasets that would change what is computed, or that Lava ignores."""
