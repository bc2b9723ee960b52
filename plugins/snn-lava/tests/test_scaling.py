"""Scales: exact where the grid allows, best where not, never out of range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_lava.dynamics import Dynamics
from snn_lava.grid import THRESHOLDS
from snn_lava.scaling import scaled, stored_exactly

IF = Dynamics(np.ones(()), np.zeros(()), 1.0)


def drawn(size, seed, spread):
    return np.random.default_rng(seed).normal(0, spread, (size, 9))


@given(
    bits=st.integers(1, 6),
    exponent=st.integers(-8, 8),
    seed=st.integers(0, 99),
    size=st.integers(1, 20),
)
def test_weights_of_a_binary_grid_stay_exact(bits, exponent, seed, size):
    """At a threshold that lies on it too, any current is compared as before."""
    unit = 2.0**exponent
    weight = np.random.default_rng(seed).integers(-(2**bits), 2**bits, (size, 9)) * unit
    weight[0, 0] = unit
    neurons = Dynamics(IF.current_decay, IF.voltage_decay, 4 * unit)
    found = scaled(weight, None, None, neurons)
    assert np.array_equal(found.weight / (64 * found.scale), weight)
    assert (found.weight_error, found.clipped, found.zeroed) == (0.0, 0.0, 0.0)
    # A sum of weights at the threshold fires, the next lower one does not.
    real = 4 * unit * 64 * found.scale
    assert found.threshold + 1 == real


@settings(max_examples=30)
@given(seed=st.integers(0, 99), spread=st.floats(1e-3, 1e2), threshold=st.floats(0.1, 10))
def test_the_scale_is_near_the_best_of_a_fine_search(seed, spread, threshold):
    weight = drawn(20, seed, spread)
    neurons = Dynamics(IF.current_decay, IF.voltage_decay, threshold * spread)
    found = scaled(weight, None, None, neurons)

    def loss(scale):
        codes = (np.rint(weight * scale * 32) * 2).clip(-256, 254)
        real = neurons.threshold * scale * 64
        return ((codes / (64 * scale) - weight) ** 2).sum() / (weight**2).sum() + (
            (np.ceil(real) - real) / real
        ) ** 2

    reach = 254 / 64 / np.abs(weight).max()
    best = min(loss(reach * 2**octave) for octave in np.linspace(-4, 1, 500))
    assert loss(found.scale) <= 1.3 * best + 1e-5
    assert found.weight.min() >= -256
    assert found.weight.max() <= 254
    assert not (found.weight % 2).any()
    assert THRESHOLDS.low <= found.threshold <= THRESHOLDS.high


def test_scales_keep_thresholds_and_biases_in_range():
    """Small weights before a large threshold; a bias far larger than all weights."""
    found = scaled(
        drawn(10, 1, 1e-4), None, None, Dynamics(IF.current_decay, IF.voltage_decay, 9.0)
    )
    assert found.threshold <= THRESHOLDS.high
    found = scaled(drawn(10, 1, 0.01), None, np.array([3.0, *np.zeros(9)]), IF)
    assert found.bias is not None
    assert 3000 < found.bias[0] <= 4095


def test_recurrent_weights_share_the_scale():
    weight, back = drawn(9, 2, 0.1), np.eye(9)
    found = scaled(weight, back, None, IF)
    assert found.recurrent is not None
    assert np.array_equal(found.recurrent, np.eye(9) * found.recurrent[0, 0])
    assert found.recurrent[0, 0] == pytest.approx(64 * found.scale, abs=2)


@pytest.mark.parametrize("threshold", [1.2599, 3.999])
def test_numbers_on_the_grid_stay(threshold):
    neurons = Dynamics(np.ones(()), np.zeros(()), threshold, strict=True, on_grid=True)
    found = scaled(np.array([[1 / 32, -4.0, 254 / 64]]), None, None, neurons)
    assert found.weight.tolist() == [[2, -256, 254]]
    assert (found.scale, found.threshold) == (1.0, int(threshold * 64))


def test_matrices_without_positive_weights_avoid_what_lava_stores_wrongly():
    weight = -np.abs(drawn(10, 3, 1.0))
    weight[0, 0] = -4.0
    found = scaled(weight, None, None, IF)
    least = -int(found.weight.min())
    assert least & (least - 1) != 0
    assert found.weight_error < 0.01
    assert not stored_exactly(np.array([[-64, 0]], np.int16))
    assert stored_exactly(np.array([[-64, 2]], np.int16))
    assert stored_exactly(np.array([[-66, -2]], np.int16))


@pytest.mark.parametrize(
    ("weight", "back", "exact"),
    [
        ([[100, -128]], [[-128]], False),
        ([[100, -126]], [[-126]], True),
        ([[254, -2]], [[-64]], True),
        ([[126, -2]], [[-64]], True),
        ([[62, -2]], [[-64]], False),
        ([[-4, -2]], [[-128]], False),
        ([[-64, -2]], [[100]], True),
        ([[0, -2]], [[0]], False),
        ([[0, 2]], [[0]], True),
    ],
)
def test_feedback_is_stored_at_the_shift_of_its_layer(weight, back, exact):
    assert stored_exactly(np.array(weight), np.array(back)) == exact


def test_a_large_layer_is_judged_by_some_of_its_weights():
    """Still exact on a binary grid, and as good as by all of them."""
    rng = np.random.default_rng(5)
    exact = scaled(rng.integers(-60, 61, (400, 500)) / 16, None, None, IF)
    assert (exact.weight_error, exact.threshold_error, exact.clipped) == (0.0, 0.0, 0.0)
    weight = rng.normal(0, 0.1, (400, 500))
    found = scaled(weight, None, None, IF)
    rms = np.sqrt(np.mean((found.weight / (64 * found.scale) - weight) ** 2))
    # A uniform error within steps of 1/32, of weights up to some five sigma.
    assert rms < 1.1 / 32 / found.scale / np.sqrt(12)
    assert found.clipped < 1e-3
