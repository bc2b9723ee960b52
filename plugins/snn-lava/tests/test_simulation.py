"""The simulator: slayer's vectors, 24 bits, latency, schedules, and an integer loop in numpy."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from snn_lava.program import Conv, Dense, Flatten, Neurons, Program
from snn_lava.simulation import Schedule, simulate
from snncore.errors import ChipError

M = 1 << 23


def neurons(du, dv, threshold, **more):
    return Neurons(np.int64(du), np.int64(dv), threshold, **more)


def dense(rng, given, width, path="a", **more):
    weight = rng.integers(-60, 100, (width, given)) * 2
    return Dense(path, weight.astype(np.int16), neurons(1024, 200, 300), **more)


def spikes(rng, steps, samples, *shape, rate=0.3):
    return torch.from_numpy((rng.random((steps, samples, *shape)) < rate).astype(np.float32))


def leak(state, decay):
    return np.sign(state) * ((np.abs(state) * (4096 - decay)) >> 12)


def by_hand(layer, x):
    """Spikes, wraps and saturations of one dense layer behind the step of latency."""
    z = np.einsum("oi,tni->tno", layer.weight.astype(np.int64), x.numpy().astype(np.int64))
    z = np.concatenate([np.zeros_like(z[:1]), z])
    u = v = np.zeros_like(z[0])
    fired, wraps, saturations = [], 0, 0
    for now in z:
        u = leak(u, layer.neurons.current_decay) + (now << 6)
        wraps += int(((u > M) | (u <= -M)).sum())
        u = np.where(u > M, u - 2 * M, np.where(u <= -M, u + 2 * M, u))
        v = leak(v, layer.neurons.voltage_decay) + u
        saturations += int((np.abs(v) > M - 1).sum())
        v = v.clip(1 - M, M - 1)
        fired.append(v > layer.neurons.threshold << 6)
        v = np.where(fired[-1], 0, v)
    return np.stack(fired), wraps, saturations


def test_slayers_vectors():
    root = os.environ.get("SNN_TEST_DATA")
    file = Path(root or "/") / "loihi_golden" / "cuba_slayer_60.npz"
    if not root or not file.exists():
        pytest.skip("SNN_TEST_DATA names no folder with the vectors of slayer")
    golden, count = np.load(file), 0
    for case in range(60):

        def get(name, case=case):
            return golden[f"{case:02d}_{name}"]

        given = neurons(get("iDecay"), get("vDecay"), int(get("vThMant")))
        layer = Dense("a", get("weight_int").astype(np.int16), given)
        x = torch.from_numpy(np.moveaxis(get("x"), 2, 0)).float()
        run = simulate(Program("loihi2", (30,), (layer,)), x, ("a",))
        found = (run.output, 4096 * run.states["a"]["v"], 4096 * run.states["a"]["u"])
        for name, values in zip("svu", found, strict=True):
            assert np.array_equal(values[1:].numpy(), np.moveaxis(get(name), 2, 0)), (case, name)
        count += int(run.output.sum())
    assert count == 74746


@pytest.mark.parametrize(
    ("du", "dv", "threshold", "sign"),
    [(0, 128, 100000, 1), (0, 64, 131071, -1), (3000, 0, 131071, -1), (10, 10, 131071, 1)],
)
def test_currents_wrap_and_potentials_saturate(du, dv, threshold, sign):
    rng = np.random.default_rng(0)
    weight = (sign * rng.integers(-20, 128, (16, 64)) * 2).clip(-256, 254).astype(np.int16)
    layer = Dense("a", weight, neurons(du, dv, threshold))
    x = spikes(rng, 300, 1, 64, rate=0.7)
    run = simulate(Program("loihi2", (64,), (layer,)), x)
    fired, wraps, saturations = by_hand(layer, x)
    assert np.array_equal(run.output.numpy(), fired)
    assert run.counters == {"wraps": wraps, "saturations": saturations}
    assert saturations > 2000
    assert (wraps > 0) == (du < 3000)


def test_many_weights_are_summed_exactly():
    """More than float32 holds: 2,000 inputs of full weight."""
    rng = np.random.default_rng(1)
    weight = np.where(rng.random((4, 2000)) < 0.5, 254, -256).astype(np.int16)
    layer = Dense("a", weight, neurons(700, 90, 90001))
    x = spikes(rng, 60, 2, 2000, rate=0.9)
    fired, wraps, saturations = by_hand(layer, x)
    run = simulate(Program("loihi2", (2000,), (layer,)), x)
    assert np.array_equal(run.output.numpy(), fired)
    assert run.counters == {"wraps": wraps, "saturations": saturations}


def test_each_layer_of_neurons_takes_one_step():
    rng = np.random.default_rng(2)
    chain = (dense(rng, 5, 6, "a"), dense(rng, 6, 7, "b"), dense(rng, 7, 3, "c"))
    x = spikes(rng, 20, 4, 5)
    run = simulate(Program("loihi2", (5,), chain), x, ("a", "b", "c"))
    assert run.output.shape == (23, 4, 3)
    assert (run.latency, run.delays) == (3, {"a": 1, "b": 2, "c": 3})
    idle = torch.cat((x, torch.zeros(3, 4, 5)))
    for given, path, layer in zip((idle, *run.spikes.values()), "abc", chain, strict=False):
        expected, _, _ = by_hand(layer, given)
        assert np.array_equal(run.spikes[path].numpy(), expected[:-1])
    assert run.output.sum() > 5


def test_a_schedule_gives_each_sample_its_own_run():
    rng = np.random.default_rng(3)
    program = Program("loihi2", (8,), (dense(rng, 8, 9, "a"), dense(rng, 9, 4, "b")))
    x = spikes(rng, 16, 5, 8)
    alone = simulate(program, x).output[2:]
    stream = x.transpose(0, 1).reshape(80, 1, 8)
    for offset, same in ((1, True), (0, False)):
        run = simulate(program, stream, schedule=Schedule(16, offset)).output[2:, 0]
        assert torch.equal(run.view(5, 16, 4).transpose(0, 1), alone) == same


@pytest.mark.parametrize(
    ("offset", "layer", "begins"),
    [
        (0, 1, [0, 16, 32]),
        (1, 1, [0, 1, 17, 33]),
        (1, 3, [0, 3, 19, 35]),
        (17, 1, [0, 1, 17, 33]),
        (15, 2, [0, 16, 32]),
    ],
)
def test_a_schedule_resets_in_the_first_sample_too(offset, layer, begins):
    assert Schedule(16, offset).starts(layer, 40) == begins


def test_a_reset_calls_no_spike_back():
    """What was fed back in the last step before it comes in the first step behind it."""
    given = neurons(4096, 4096, 64)
    back = np.array([[0, 0], [100, 0]], np.int16)
    layer = Dense("a", np.array([[100], [0]], np.int16), given, recurrent=back)
    x = torch.zeros(6, 1, 1)
    x[2] = 1
    run = simulate(Program("loihi2", (1,), (layer,)), x, schedule=Schedule(4, 0))
    assert run.output[:, 0].tolist() == [[0, 0], [0, 0], [0, 0], [1, 0], [0, 1], [0, 0], [0, 0]]


def test_delays_are_steps_of_single_channels():
    rng = np.random.default_rng(4)
    plain = dense(rng, 6, 3)
    delayed = Dense("a", plain.weight, plain.neurons, delay=np.array([0, 2, 40]))
    x = spikes(rng, 12, 2, 6)
    first = simulate(Program("loihi2", (6,), (plain,)), x).output
    second = simulate(Program("loihi2", (6,), (delayed,)), x).output
    assert torch.equal(second[..., 0], first[..., 0])
    assert torch.equal(second[2:, :, 1], first[:-2, :, 1])
    assert not second[:2, :, 1].any()
    assert not second[..., 2].any()


def test_a_convolution_is_its_matrix():
    rng = np.random.default_rng(5)
    weight = (rng.integers(-40, 60, (4, 2, 3, 2)) * 2).astype(np.int16)
    decays = np.array([500, 1000, 2000, 4096])
    given = Neurons(decays, decays[::-1].copy(), 200, bias=np.array([3, 0, -7, 40]))
    conv = Conv("a", weight, given, (2, 1), (1, 0), (1, 2), 1)
    program = Program("loihi1", (2, 6, 8), (conv, Flatten()))
    x = spikes(rng, 15, 3, 2, 6, 8)
    (shape, (size,)) = program.shapes()
    # A matrix from what the convolution makes of single inputs.
    unit = torch.eye(96).view(96, 2, 6, 8)
    matrix = torch.nn.functional.conv2d(
        unit, torch.from_numpy(weight).float(), None, (2, 1), (1, 0), (1, 2)
    )
    matrix = matrix.reshape(96, size).T.numpy().astype(np.int16)
    each = np.repeat(np.arange(4), size // 4)
    given = Neurons(decays[each], decays[::-1][each], 200, bias=given.bias[each])
    dense = Program("loihi1", (96,), (Dense("a", matrix, given),))
    expected = simulate(dense, x.flatten(2)).output
    assert shape == (4, 3, 6)
    assert torch.equal(simulate(program, x).output, expected)
    assert 10 < expected.sum() < expected.numel() / 2


def test_feedback_takes_one_step():
    rng = np.random.default_rng(6)
    plain = dense(rng, 5, 4)
    back = (rng.integers(-50, 50, (4, 4)) * 2).astype(np.int16)
    layer = Dense("a", plain.weight, plain.neurons, recurrent=back)
    x = spikes(rng, 20, 1, 5)
    run = simulate(Program("loihi2", (5,), (layer,)), x)
    # The spikes of the step before, beside the input, through both matrices.
    both = Dense("a", np.hstack((plain.weight, back)), plain.neurons)
    fired, _, _ = by_hand(both, torch.cat((x, run.output[:20]), -1))
    assert np.array_equal(fired, run.output.numpy())
    assert run.output.sum() > 5


def test_graded_spikes_carry_the_potential():
    given = neurons(4096, 0, 64, graded=True)
    layers = (
        Dense("a", np.array([[100]], np.int16), given),
        Dense("b", np.array([[-64]], np.int16), neurons(4096, 0, 64)),
    )
    run = simulate(Program("loihi2", (1,), layers), torch.ones(1, 1, 1), ("a", "b"))
    assert run.spikes["a"].flatten().tolist() == [0.0, 100 / 64, 0.0]
    assert run.states["b"]["v"].flatten().tolist() == [0.0, 0.0, -100 / 64]


def test_other_inputs_are_refused():
    program = Program("loihi2", (5,), (dense(np.random.default_rng(7), 5, 6),))
    with pytest.raises(ChipError, match=r"takes spikes \[T, N, 5\], got \[3, 2, 4\]"):
        simulate(program, torch.zeros(3, 2, 4))
    with pytest.raises(ChipError, match="other values than 0 and 1; the chip takes spikes"):
        simulate(program, torch.full((3, 2, 5), 2.0))
    with pytest.raises(ChipError, match=r"no layer 'x' to record; the layers are 'a'"):
        simulate(program, torch.zeros(3, 2, 5), ("x",))
