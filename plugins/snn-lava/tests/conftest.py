"""Networks in Loihi's numbers, drawn at random: every layer, every option, every extreme."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import strategies as st

from snn_lava.program import Conv, Dense, Flatten, Layer, Neurons, Program

Drawn = st.SearchStrategy[Program]


def _integers(draw: st.DrawFn, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return np.asarray(rng.integers(low, high + 1, shape))


def _weight(draw: st.DrawFn, shape: tuple[int, ...]) -> np.ndarray:
    low, high = draw(st.sampled_from([(-256, 254), (0, 254), (-256, 0), (-20, 30)]))
    return _integers(draw, shape, low, high).astype(np.int16)


def _neurons(draw: st.DrawFn, count: int) -> Neurons:
    shape = draw(st.sampled_from([(), (count,)]))
    decays = [
        _integers(draw, shape, *draw(st.sampled_from([(0, 0), (4096, 4096), (0, 4096)])))
        for _ in range(2)
    ]
    threshold = draw(st.sampled_from([1, 80, 2000, 131071]))
    bias = _integers(draw, (count,), -4096, 4095) if draw(st.booleans()) else None
    return Neurons(*decays, threshold, bias)


def _dense(draw: st.DrawFn, path: str, given: int) -> Dense:
    count = draw(st.integers(1, 6))
    weight, neurons = _weight(draw, (count, given)), _neurons(draw, count)
    # Lava does not run feedback and delays together.
    match draw(st.sampled_from(["plain", "feedback", "delays"])):
        case "feedback":
            return Dense(path, weight, neurons, _weight(draw, (count, count)))
        case "delays":
            longest = draw(st.sampled_from([2, 62]))
            return Dense(path, weight, neurons, delay=_integers(draw, (count,), 0, longest))
    return Dense(path, weight, neurons)


def _conv(draw: st.DrawFn, path: str, given: tuple[int, ...]) -> Conv:
    pair = st.tuples(st.integers(1, 2), st.integers(1, 2))
    groups = draw(st.sampled_from([n for n in (1, 2) if given[0] % n == 0]))
    count = groups * draw(st.integers(1, 2))
    kernel, stride, dilation = draw(pair), draw(pair), draw(pair)
    padding = draw(st.tuples(st.integers(1, 2), st.integers(0, 1)))
    weight = _weight(draw, (count, given[0] // groups, *kernel))
    return Conv(path, weight, _neurons(draw, count), stride, padding, dilation, groups)


@st.composite
def _programs(draw: st.DrawFn) -> Program:
    image = draw(st.booleans())
    shape = draw(st.sampled_from([(1, 3, 4), (2, 4, 3)] if image else [(1,), (7,)]))
    layers: list[Layer] = []
    chip = draw(st.sampled_from(["loihi1", "loihi2"]))
    for i in range(draw(st.integers(1, 3))):
        given = Program(chip, shape, tuple(layers)).shapes()[-1] if layers else shape
        if len(given) == 3 and (min(given[1:]) < 3 or draw(st.booleans())):
            layers.append(Flatten())
            given = (int(np.prod(given)),)
        path = draw(st.sampled_from(["", "net", "sär"])) + f".{i}"
        layer = _dense(draw, path, given[0]) if len(given) == 1 else _conv(draw, path, given)
        layers.append(layer)
    return Program(chip, shape, tuple(layers))


@pytest.fixture(scope="session")
def programs() -> Drawn:
    """Chains of one to three layers of neurons, with what may stand between."""
    return _programs()


@pytest.fixture
def neurons() -> Callable[..., Neurons]:
    """Some neurons, of other numbers where they are given."""

    def make(**changed: object) -> Neurons:
        plain = {"current_decay": np.array(1024), "voltage_decay": np.array(123), "threshold": 80}
        return Neurons(**{**plain, **changed})  # pyright: ignore[reportArgumentType]

    return make
