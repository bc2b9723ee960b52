"""The same model gives the same numbers in another library."""

from __future__ import annotations

from dataclasses import replace

import pytest
from oracle.comparison import TOLERANCE, compare
from oracle.curve import compare_curve
from oracle.tables import curves, pairs

CASES = [(pair, variant) for pair in pairs() for variant in pair.variants]
FROM_REST = [
    (replace(pair, start={}), variant)
    for pair, variant in CASES
    if pair.kind == "neuron" and pair.library == "spikingjelly" and pair.start
]
CURVES = [(curve, settings) for curve in curves() for settings in curve.variants]


@pytest.mark.parametrize(
    ("pair", "variant"), CASES, ids=[f"{pair.label} {variant}" for pair, variant in CASES]
)
def test_outputs_states_and_gradients(pair, variant):
    found = compare(pair, variant)
    assert found.spikes or not pair.spikes, "spikes differ"
    assert {name: far for name, far in found.apart.items() if not far <= TOLERANCE} == {}
    # What is zero throughout is equal whatever it should have been.
    still = {f"gradient of initial {name}" for name in pair.detached}
    assert found.apart.keys() - found.alive <= still


@pytest.mark.parametrize(
    ("pair", "variant"), FROM_REST, ids=[f"{pair.label} {variant}" for pair, variant in FROM_REST]
)
def test_both_begin_in_the_same_states(pair, variant):
    found = compare(pair, variant)
    assert found.spikes or not pair.spikes, "spikes differ"
    assert {name: far for name, far in found.apart.items() if not far <= TOLERANCE} == {}


@pytest.mark.parametrize(
    ("curve", "settings"), CURVES, ids=[f"{curve.label} {given}" for curve, given in CURVES]
)
def test_surrogates(curve, settings):
    found = compare_curve(curve, settings)
    assert found["output"] == 0.0
    assert {name: far for name, far in found.items() if not far <= TOLERANCE} == {}
