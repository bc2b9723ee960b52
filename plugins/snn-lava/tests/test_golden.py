"""Runs of the simulator as they were when it was proved equal to slayer and to Lava.

``python plugins/snn-lava/tests/test_golden.py`` writes them anew: only after
``test_simulation.py::test_slayers_vectors`` has passed on the vectors of slayer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from snn_lava.netfile import read, write
from snn_lava.program import Conv, Dense, Flatten, Layer, Neurons, Program
from snn_lava.simulation import simulate
from snncore.chip import digest

GOLDEN = Path(__file__).with_name("golden") / "runs.npz"
STEPS, SAMPLES = 24, 2


def spread(*shape: int, low: int, high: int, seed: int = 1) -> np.ndarray:
    """Whole numbers that look random and depend on no library."""
    found, state = [], seed
    for _ in range(int(np.prod(shape))):
        state = (1103515245 * state + 12345) % (1 << 31)
        found.append(low + (state >> 8) % (high - low + 1))
    return np.array(found).reshape(shape)


def even(*shape: int, low: int = -128, high: int = 127, seed: int = 1) -> np.ndarray:
    return (2 * spread(*shape, low=low, high=high, seed=seed)).astype(np.int16)


def neurons(du: Any = 1024, dv: Any = 123, threshold: int = 300, **more: Any) -> Neurons:
    return Neurons(np.array(du), np.array(dv), threshold, **more)


def chain(shape: tuple[int, ...], *layers: Layer) -> Program:
    return Program("loihi2", shape, layers)


PAIR = Dense("a", even(9, 12), neurons()), Dense("b", even(5, 9, seed=2), neurons(threshold=150))
LIMIT = np.full((4, 40), 254, np.int16)
LIMIT[1::2] = -256
CASES = {
    "dense": chain((12,), PAIR[0]),
    "memoryless": chain((12,), Dense("a", even(9, 12), neurons(4096, 4096, 200))),
    "never_forgetting": chain((12,), Dense("a", even(9, 12, low=-30, high=31), neurons(0, 0, 999))),
    "odd_weights": chain(
        (12,), Dense("a", spread(9, 12, low=-99, high=99).astype(np.int16), neurons())
    ),
    "per_channel": chain(
        (12,),
        Dense(
            "a",
            even(9, 12),
            neurons(
                spread(9, low=0, high=4096),
                spread(9, low=0, high=4096, seed=3),
                bias=spread(9, low=-200, high=400),
            ),
        ),
    ),
    "delays": chain(
        (12,), Dense("a", even(9, 12), neurons(), delay=np.array([0, 1, 2, 3, 5, 8, 13, 20, 62]))
    ),
    "recurrent": chain(
        (12,), Dense("a", even(9, 12), neurons(), recurrent=even(9, 9, seed=4)), PAIR[1]
    ),
    "three_layers": chain((12,), *PAIR, Dense("c", even(3, 5, seed=5), neurons(threshold=90))),
    "conv": chain(
        (2, 5, 4), Conv("a", even(3, 2, 2, 3, seed=6), neurons(), (2, 1), (1, 2), (1, 2))
    ),
    "conv_groups_flatten_dense": chain(
        (2, 4, 4),
        Conv(
            "a", even(4, 1, 2, 2, seed=7), neurons(bias=np.array([0, 9, -9, 99])), (2, 2), groups=2
        ),
        Flatten(),
        Dense("b", even(4, 16, seed=8), neurons(threshold=100)),
    ),
    "wraps": chain((40,), Dense("a", LIMIT, neurons(0, 64, 131071))),
    "saturates": chain((40,), Dense("a", LIMIT, neurons(1500, 0, 131071, bias=np.array([9] * 4)))),
}


def run(name: str) -> tuple[dict[str, np.ndarray], Program]:
    """Everything that a run gives, and the digest of what ran."""
    program = CASES[name]
    some = 10 if "layers" in name else 6
    x = spread(STEPS, SAMPLES, *program.input_shape, low=0, high=9, seed=9) < some
    paths = tuple(layer.path for layer in program.layers if not isinstance(layer, Flatten))
    trace = simulate(program, torch.from_numpy(x).float(), paths)
    found = {"x": np.packbits(x), "sha256": np.array(digest(program.content()))}
    found["counters"] = np.array([trace.counters["wraps"], trace.counters["saturations"]])
    for path in paths:
        found[f"{path}.s"] = np.packbits(trace.spikes[path].numpy().astype(bool))
        values = np.stack([4096 * trace.states[path][state].double().numpy() for state in "uv"])
        found[f"{path}.uv"] = values.astype(np.int32)
        assert np.array_equal(found[f"{path}.uv"], values)
    return found, program


@pytest.mark.parametrize("name", CASES)
def test_the_simulator_gives_what_it_gave(name):
    found, _ = run(name)
    with np.load(GOLDEN) as golden:
        names = {key.partition("/")[2] for key in golden if key.startswith(f"{name}/")}
        assert names == set(found)
        for key, values in found.items():
            assert np.array_equal(golden[f"{name}/{key}"], values), key
    assert found["a.s"].any() or name == "saturates"
    assert (found["counters"][0] > 0) == (name == "wraps")
    assert (found["counters"][1] > 0) == (name in ("wraps", "saturates"))


def test_a_neuron_step_by_step():
    """As slayer gives it."""
    z = [30, 0, -46, 0, 254, 0, 0, -256, 100, 100, 0, 0, 0, 3, -1, 0]
    u = [1920, 1440, -1864, -1398, 15208, 11406, 8554, -9969]
    u += [-1076, 5593, 4194, 3145, 2358, 1960, 1406, 1054]
    v = [1920, 3302, 1338, -101, 15111, 11406, 8554, -9969]
    v += [-10745, -4829, -489, 2671, 4948, 6759, 1406, 2417]
    s = [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0]
    weights = sorted({value for value in z if value})
    layer = Dense("a", np.array([weights], np.int16), neurons(1024, 123, 80))
    x = torch.tensor([[[float(value == weight) for weight in weights]] for value in z])
    trace = simulate(chain((len(weights),), layer), x, ("a",))
    assert trace.output[1:].flatten().tolist() == s
    assert (4096 * trace.states["a"]["u"])[1:].flatten().tolist() == u
    assert (4096 * trace.states["a"]["v"])[1:].flatten().tolist() == v


@pytest.mark.parametrize("name", CASES)
def test_a_file_runs_as_its_network(tmp_path, name):
    program = CASES[name]
    write(program, tmp_path / "a.net")
    x = torch.from_numpy(spread(9, 1, *program.input_shape, low=0, high=1)).float()
    again = simulate(read(tmp_path / "a.net"), x)
    assert torch.equal(again.output, simulate(program, x).output)
    assert again.counters == simulate(program, x).counters


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        GOLDEN, **{f"{name}/{key}": value for name in CASES for key, value in run(name)[0].items()}
    )
