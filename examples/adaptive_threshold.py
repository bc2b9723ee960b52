"""ALIF under a constant current: every spike raises the threshold, so spikes grow rarer.

Draws the current, the membrane potential below its moving threshold, and the spikes, as Fig. 12 of
SpikingJelly (Science Advances 2023):

    python examples/adaptive_threshold.py --out adaptive_threshold.png
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from panels import draw, save

from snn_neurons import ALIF
from snncore.monitor import Attribute, Output

STEPS = 400
ONSET = 20
CURRENT = 4.0


def run() -> dict[str, np.ndarray]:
    """Curves [T] by name: current, potential after each step, threshold of each step, spikes."""
    neuron = ALIF(tau=20.0, beta=20.0, rho=0.99)
    current = torch.full((STEPS, 1, 1), CURRENT)
    current[:ONSET] = 0.0
    # The threshold of a step comes from b before it.
    with (
        torch.no_grad(),
        Attribute("b", before=True).watch(neuron) as adaptation,
        Attribute("v").watch(neuron) as potential,
        Output().watch(neuron) as spikes,
    ):
        for x in current:
            neuron(x)
    found = {
        "current": current,
        "potential": potential[""],
        "threshold": neuron.v_threshold + neuron.beta * adaptation[""],
        "spikes": spikes[""],
    }
    return {name: curve.flatten().numpy() for name, curve in found.items()}


def main(words: Sequence[str] | None = None) -> None:
    """Runs the neuron and writes the picture."""
    found = run()
    panels = {
        "input": {"current": found["current"]},
        "membrane": {name: found[name] for name in ("potential", "threshold")},
    }
    title = "ALIF: the threshold adapts to a constant current"
    save(draw(title, panels, found["spikes"]), words, title, "adaptive_threshold.png")


if __name__ == "__main__":
    main()
