"""From a layer's real numbers to Loihi's: one scale per layer, searched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snn_lava.dynamics import Dynamics, Floats
from snn_lava.grid import BIASES, THRESHOLDS, WEIGHT_UNIT, WEIGHTS, threshold_integer
from snn_lava.program import Integers, Weights

_PER_OCTAVE = 32
# Weights by which a scale is judged; the search would else take seconds for a large layer.
_SCORED = 1 << 16


@dataclass(frozen=True)
class Scaled:
    """A layer on the grid.

    Args:
        scale: by which weights, bias and threshold were multiplied: nothing of it is seen in the
            spikes, as potentials scale along.
        weight, recurrent, bias, threshold: integers; the threshold and the bias may be out of
            their range.
        clipped: share of weights outside the grid.
        zeroed: share of weights other than 0 that became 0.
        weight_error: largest difference of a weight, as a share of the largest weight.
        threshold_error: difference of the lowest potential that fires, as a share.
    """

    scale: float
    weight: Weights
    recurrent: Weights | None
    bias: Integers | None
    threshold: int
    clipped: float
    zeroed: float
    weight_error: float
    threshold_error: float


def stored_exactly(weight: Weights | Floats, recurrent: Weights | Floats | None = None) -> bool:
    """Whether Lava holds the integers of a dense layer as they are.

    It shifts them left until they fill 8 bits beside the sign, feedback and the rest alike. A
    matrix without a positive weight is held without signs, and there 256 is clipped: what minus a
    power of two may become.
    """
    matrices = [matrix for matrix in (weight, recurrent) if matrix is not None]
    low = min(matrix.min(initial=0) for matrix in matrices)
    high = max(matrix.max(initial=0) for matrix in matrices)
    if low == 0:
        return True
    shift = np.floor(np.log2(min(254 / high if high > 0 else np.inf, 256 / -low)))
    unsigned = [matrix for matrix in matrices if matrix.max(initial=0) <= 0]
    return all(-matrix.min(initial=0) * 2**shift != 256 for matrix in unsigned)


def scaled(
    weight: Floats, recurrent: Floats | None, bias: Floats | None, neurons: Dynamics
) -> Scaled:
    """The layer at the scale at which weights and threshold together lose least.

    IF, LIF and current-based neurons with a reset to 0 are homogeneous: weights, bias and threshold
    times s give the same spikes. Candidates are the largest s that clips nothing, smaller and
    slightly larger ones, and powers of two, which keep numbers that lie on a binary grid exact.
    The score is the mean square error of the weights plus that of the threshold, both relative; of
    many weights 65,536 are drawn for it, always the same, beside the largest and the least.

    Args:
        weight: ``[out, ...]``.
        recurrent: ``[out, out]``, or None.
        bias: ``[out]``, or None.
        neurons: what the layer feeds; numbers that are on the grid already are not scaled.
    """
    if neurons.on_grid:
        return _at(1.0, weight, recurrent, bias, neurons)
    every = _all(weight, recurrent)
    candidates = list(_candidates(every, neurons.threshold))
    scored = _some(every)
    matrices = [m for m in (weight, recurrent) if m is not None and m.ndim == 2]
    unsigned = any(m.max(initial=0) <= 0 for m in matrices)
    scores = [
        np.inf
        if unsigned and not stored_exactly(*(_codes(m, s) for m in matrices))
        else _score(s, scored, bias, neurons)
        for s in candidates
    ]
    return _at(candidates[int(np.argmin(scores))], weight, recurrent, bias, neurons)


def _all(weight: Floats, recurrent: Floats | None) -> Floats:
    parts = [matrix.ravel() for matrix in (weight, recurrent) if matrix is not None]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _some(weights: Floats) -> Floats:
    if weights.size <= _SCORED:
        return weights
    drawn = weights[np.random.default_rng(0).integers(0, weights.size, _SCORED)]
    return np.concatenate([drawn, [weights.max(), weights.min()]])


def _candidates(weights: Floats, threshold: float) -> Iterator[float]:
    """Scales, the preferred of equals first."""
    high, low = weights.max(initial=0.0), -weights.min(initial=0.0)
    if not np.isfinite(high + low) or high == low == 0:
        yield 1.0
        return
    reach = min(
        (limit / WEIGHT_UNIT / size)
        for limit, size in ((WEIGHTS.high, high), (-WEIGHTS.low, low))
        if size > 0
    )
    most = THRESHOLDS.high / WEIGHT_UNIT / threshold if threshold > 0 else np.inf
    exponent = int(np.floor(np.log2(min(reach, most))))
    found = [2.0 ** (exponent - i) for i in range(6)]
    for i in range(-_PER_OCTAVE, 4 * _PER_OCTAVE):
        scale = reach * 2.0 ** (-i / _PER_OCTAVE)
        # The nearest at which the threshold is whole.
        units = threshold * WEIGHT_UNIT
        found.append(max(1, round(scale * units)) / units if threshold > 0 else scale)
    within = [s for s in dict.fromkeys(found) if s <= most]
    yield from within or [most]


def _codes(values: Floats, scale: float) -> Floats:
    codes = np.rint(values * (scale * WEIGHT_UNIT / WEIGHTS.step)) * WEIGHTS.step
    return codes.clip(WEIGHTS.low, WEIGHTS.high)


def _score(scale: float, weights: Floats, bias: Floats | None, neurons: Dynamics) -> float:
    error = _codes(weights, scale) / (scale * WEIGHT_UNIT) - weights
    score = float((error**2).sum() / (weights**2).sum())
    threshold = _threshold(scale, neurons)
    if not THRESHOLDS.low <= threshold <= THRESHOLDS.high:
        return np.inf
    if bias is not None:
        integers = np.rint(bias * (scale * WEIGHT_UNIT))
        if integers.min(initial=0) < BIASES.low or integers.max(initial=0) > BIASES.high:
            return np.inf
    return score + _threshold_error(threshold, scale, neurons) ** 2


def _threshold(scale: float, neurons: Dynamics) -> int:
    if neurons.strict:
        return threshold_integer(neurons.threshold * scale)
    # A sum of weights that reaches the threshold must exceed the integer.
    real = neurons.threshold * scale * WEIGHT_UNIT
    return int(np.ceil(real * (1 - 1e-9))) - 1


def _threshold_error(threshold: int, scale: float, neurons: Dynamics) -> float:
    if neurons.threshold <= 0:
        return np.inf
    real = neurons.threshold * scale * WEIGHT_UNIT
    return (threshold + (not neurons.strict) - real) / real


def _at(
    scale: float,
    weight: Floats,
    recurrent: Floats | None,
    bias: Floats | None,
    neurons: Dynamics,
) -> Scaled:
    every = _all(weight, recurrent)
    codes = _codes(every, scale)
    real = every * scale * WEIGHT_UNIT
    over = (real > WEIGHTS.high + 1) | (real < WEIGHTS.low - 1)
    used = every != 0
    largest = np.abs(every).max(initial=0.0)
    error = np.abs(codes / (scale * WEIGHT_UNIT) - every).max(initial=0.0)
    threshold = _threshold(scale, neurons)
    return Scaled(
        scale=float(scale),
        weight=_codes(weight, scale).astype(np.int16),
        recurrent=None if recurrent is None else _codes(recurrent, scale).astype(np.int16),
        bias=None if bias is None else np.rint(bias * scale * WEIGHT_UNIT).astype(np.int64),
        threshold=threshold,
        clipped=float(over.mean()) if every.size else 0.0,
        zeroed=float((codes[used] == 0).mean()) if used.any() else 0.0,
        weight_error=float(error / largest) if largest else 0.0,
        threshold_error=float(_threshold_error(threshold, scale, neurons)),
    )
