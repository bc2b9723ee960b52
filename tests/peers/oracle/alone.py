"""Neurons and surrogates of ours that no other library here defines, and why."""

from __future__ import annotations

from collections.abc import Mapping

NEURONS: Mapping[str, str] = {
    "conductance_lif": "theirs take an Euler step; see the differences",
    "escape_rate": "fires by chance, by draws that no other library makes",
    "noisy_lif": "draws noise for every membrane; what is drawn differs between libraries",
    "quantized_lif": "whole numbers; tested against a recurrence in integers",
    "resonate_and_fire": "resets both states, as in the paper; SpikingJelly's is `raf`",
}

SURROGATES: Mapping[str, str] = {
    "multi_gaussian": "of networks with adaptive neurons; none of the three has it",
    "poisson_pass": "random; what is certain about it is compared among the differences",
    "ste": "Eq. 40-41 of the SpikingJelly paper, which its library leaves out",
}
