"""What Loihi 1 and 2 can do, as Lava's network exchange runs it."""

from __future__ import annotations

from dataclasses import replace

from snn_lava.grid import BIASES, DELAYS, STATE_LIMIT, WEIGHTS
from snncore.chip import Between, Capabilities, IntGrid, Limit, OneOf, Rule

CONV_SIZE = 127
"""Groups, and the largest kernel, stride, padding and dilation of a convolution."""

_CHIP = "Davies et al., Loihi, IEEE Micro 2018"
_NETX = "netx of lava-dl 0.6"
_RESET = "train with v_reset=0.0; the chip resets to 0 alone"

_NEURON = Rule(
    parameters={"v_reset": OneOf((0.0,))},
    granularity="channel",
    why=_CHIP,
    fixes={"v_reset": _RESET},
)
_LEAKY = replace(
    _NEURON,
    parameters={"v_reset": OneOf((0.0,)), "decay_input": OneOf((False,))},
    fixes={
        "v_reset": _RESET,
        "decay_input": "1 / tau could not be multiplied into the layer before it; put the neuron "
        "right behind a linear layer or convolution",
    },
)
_DELAY = Rule(
    parameters={"delay": Between(DELAYS.low, DELAYS.high)},
    why=f"{_NETX}: 6 bits",
    fix=f"keep delays within {DELAYS} steps",
)
_POOL = "take a convolution of stride 2; average pools next to a convolution or linear layer fold"

LOIHI2 = Capabilities(
    name="loihi2",
    version="1",
    prefix="LAVA",
    ops={
        "Linear": Rule(),
        "Conv": Rule(
            parameters={
                "transposed": OneOf((False,)),
                **{
                    name: Between(0, CONV_SIZE)
                    for name in ("groups", "stride", "padding", "dilation")
                },
            },
            why=f"{_NETX} has no transposed convolution, and holds sizes in 7 bits",
            fix="take a smaller one",
            fixes={"transposed": "take a convolution"},
        ),
        "Reshape": Rule(),
        "Add": Rule(),
    },
    neurons={
        "snn-neurons/if": _NEURON,
        "snn-neurons/lif": _LEAKY,
        "snn-neurons/plif": _LEAKY,
        "snn-neurons/cuba_lif": _NEURON,
        "snn-lava/loihi_cuba": replace(_NEURON, parameters={}),
        "snn-lava/loihi_graded": replace(_NEURON, parameters={}),
        "snn-neurons/delay": _DELAY,
        "snn-neurons/learnable_delay": replace(
            _DELAY, parameters={"max_delay": Between(DELAYS.low, DELAYS.high)}
        ),
    },
    refused={
        "Pool": _POOL,
        "BatchNorm": "put it right behind a linear layer or convolution, where it folds",
        "Concat": "make the network a chain of layers",
        "Function": "take layers that the chip has",
        "snn-neurons/refractory_lif": "take lif; netx has no refractory time",
        "snn-neurons/alif": "take lif or cuba_lif; netx has no adaptive threshold",
    },
    weight=WEIGHTS,
    bias=BIASES,
    state=IntGrid(-STATE_LIMIT, STATE_LIMIT - 1),
    topology="recurrent",
    max_rank=3,
    latency=1,
    limits={
        "neurons": Limit(1_000_000, hard=False, source="published, Loihi 2"),
        "synapses": Limit(120_000_000, hard=False, source="published, Loihi 2"),
    },
)

LOIHI1 = replace(
    LOIHI2,
    name="loihi1",
    neurons={n: rule for n, rule in LOIHI2.neurons.items() if n != "snn-lava/loihi_graded"},
    refused={**LOIHI2.refused, "snn-lava/loihi_graded": "take loihi_cuba; spikes are binary"},
    limits={
        "neurons": Limit(131_072, hard=False, source=f"{_CHIP}: 128 cores of 1,024 neurons"),
        "synapses": Limit(130_000_000, hard=False, source=_CHIP),
    },
)
