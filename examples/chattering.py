"""The Izhikevich neuron chatters: bursts of spikes under a constant current.

A spike leaves the potential above v_c, from where it rises again by itself, and raises the recovery
current W. After some spikes W ends the burst; while it decays the neuron is silent.

Draws the current, the membrane potential with W, and the spikes, as Fig. 14 of SpikingJelly
(Science Advances 2023):

    python examples/chattering.py --out chattering.png
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from panels import draw, save

from snn_neurons import Izhikevich
from snncore.monitor import Attribute, Output

STEPS = 500
ONSET = 20
CURRENT = 1.0


def run() -> dict[str, np.ndarray]:
    """Curves [T] by name: current, potential and W after each step, spikes."""
    neuron = Izhikevich(5.0, a0=2.0, a=0.3, b=0.3, tau_w=50.0, v_threshold=2.0, v_reset=0.95)
    neuron.set_initial("v", neuron.v_rest)
    current = torch.full((STEPS, 1, 1), CURRENT)
    current[:ONSET] = 0.0
    with (
        torch.no_grad(),
        Attribute("v").watch(neuron) as potential,
        Attribute("w").watch(neuron) as recovery,
        Output().watch(neuron) as spikes,
    ):
        for x in current:
            neuron(x)
    found = {
        "current": current,
        "potential": potential[""],
        "recovery": recovery[""],
        "spikes": spikes[""],
    }
    return {name: curve.flatten().numpy() for name, curve in found.items()}


def main(words: Sequence[str] | None = None) -> None:
    """Runs the neuron and writes the picture."""
    found = run()
    panels = {
        "input": {"current": found["current"]},
        "membrane": {"potential V": found["potential"], "recovery current W": found["recovery"]},
    }
    title = "Izhikevich neuron: chattering under a constant current"
    save(draw(title, panels, found["spikes"]), words, title, "chattering.png")


if __name__ == "__main__":
    main()
