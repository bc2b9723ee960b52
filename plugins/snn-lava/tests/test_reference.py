"""The simulator beside a loop over single neurons, of any network."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_lava.program import Conv, Dense, Flatten, Neurons, Program
from snn_lava.simulation import simulate

M = 1 << 23
STEPS, SAMPLES = 40, 2


def kept(state: int, decay: int) -> int:
    """What is left of a state after a step: shifted toward zero."""
    left = (abs(state) * (4096 - decay)) >> 12
    return left if state >= 0 else -left


def matrix(layer: Conv, given: tuple[int, ...]) -> np.ndarray:
    """A convolution, one weight at a time."""
    outputs, inputs, height, width = layer.weight.shape
    (_, *sizes) = Program("loihi1", given, (layer,)).shapes()[0]
    found = np.zeros((outputs, *sizes, *given), np.int64)
    for o, i, h, w, y, x in np.ndindex(outputs, inputs, height, width, *sizes):
        row = y * layer.stride[0] - layer.padding[0] + h * layer.dilation[0]
        column = x * layer.stride[1] - layer.padding[1] + w * layer.dilation[1]
        if 0 <= row < given[1] and 0 <= column < given[2]:
            channel = o // (outputs // layer.groups) * inputs + i
            found[o, y, x, channel, row, column] = layer.weight[o, i, h, w]
    return found.reshape(-1, int(np.prod(given)))


def one(drive: np.ndarray, feedback, layer: Dense | Conv, channel: int):
    """The life of one neuron, step by step: yields its spike, v before the reset, and u."""
    neurons: Neurons = layer.neurons
    by = [
        np.broadcast_to(d, len(layer.weight))
        for d in (neurons.current_decay, neurons.voltage_decay)
    ]
    du, dv = int(by[0][channel]), int(by[1][channel])
    bias = 0 if neurons.bias is None else int(neurons.bias[channel])
    u = v = 0
    for z in drive:
        events = Counter[str]()
        u = kept(u, du) + ((int(z) + feedback()) << 6)
        if u > M:
            u, events["wraps"] = u - 2 * M, 1
        elif u <= -M:
            u, events["wraps"] = u + 2 * M, 1
        v = kept(v, dv) + u + (bias << 6)
        if abs(v) > M - 1:
            v, events["saturations"] = (M - 1 if v > 0 else 1 - M), 1
        fires = v > neurons.threshold << 6
        yield int(fires), v, u, events
        v = 0 if fires else v


def layer_of(layer: Dense | Conv, shape: tuple[int, ...], given: np.ndarray, events: Counter):
    """Spikes, v and u ``[T, N, *]`` of a layer; ``given`` is what was sent to it."""
    flat = given.reshape(*given.shape[:2], -1)
    weight = matrix(layer, given.shape[2:]) if isinstance(layer, Conv) else layer.weight
    drive = np.einsum("oi,tni->tno", weight.astype(np.int64), flat)
    late = np.zeros_like(drive)
    delays = getattr(layer, "delay", None)
    count = drive.shape[2]
    for i in range(count):
        steps = 1 + (0 if delays is None else int(delays[i]))
        late[steps:, :, i] = drive[: max(len(drive) - steps, 0), :, i]
    found = np.zeros((3, *drive.shape), np.int64)
    for n in range(given.shape[1]):
        last = np.zeros(count, np.int64)

        def feedback(i, last=last):
            recurrent = getattr(layer, "recurrent", None)
            return 0 if recurrent is None else int(recurrent[i].astype(np.int64) @ last)

        lives = [
            one(late[:, n, i], lambda i=i, f=feedback: f(i), layer, i * len(layer.weight) // count)
            for i in range(count)
        ]
        for t in range(len(drive)):
            # All neurons see the spikes of the step before.
            rows = [next(life) for life in lives]
            found[:, t, n] = np.array([row[:3] for row in rows]).T
            last[:] = found[0, t, n]
            for row in rows:
                events.update(row[3])
    return found.reshape(3, *given.shape[:2], *shape)


def reference(program: Program, x: np.ndarray):
    events, recorded = Counter({"wraps": 0, "saturations": 0}), {}
    sent = np.concatenate((x, np.zeros((program.latency, *x.shape[1:]), np.int64)))
    for layer, shape in zip(program.layers, program.shapes(), strict=True):
        if isinstance(layer, Flatten):
            sent = sent.reshape(*sent.shape[:2], *shape)
            continue
        recorded[layer.path] = layer_of(layer, shape, sent, events)
        sent = recorded[layer.path][0]
    return sent, recorded, events


def check(program: Program, seed: int, rate: float) -> Counter:
    shape = (STEPS, SAMPLES, *program.input_shape)
    x = (np.random.default_rng(seed).random(shape) < rate).astype(np.int64)
    output, recorded, events = reference(program, x)
    run = simulate(program, torch.from_numpy(x).float(), tuple(recorded))
    assert np.array_equal(run.output.numpy(), output)
    for path, (spikes, v, u) in recorded.items():
        assert np.array_equal(run.spikes[path].numpy(), spikes)
        assert np.array_equal(4096 * run.states[path]["v"].numpy(), v)
        assert np.array_equal(4096 * run.states[path]["u"].numpy(), u)
    assert run.counters == events
    return events


@settings(max_examples=6)
@given(data=st.data(), seed=st.integers(0, 99), rate=st.sampled_from([0.2, 0.9]))
def test_any_network(programs, data, seed, rate):
    check(data.draw(programs), seed, rate)


@pytest.mark.slow
@settings(max_examples=100)
@given(data=st.data(), seed=st.integers(0, 99), rate=st.sampled_from([0.2, 0.9]))
def test_many_networks(programs, data, seed, rate):
    check(data.draw(programs), seed, rate)


def test_wraps_and_saturations():
    weight = np.full((4, 64), 254, np.int16)
    weight[1::2] = -256
    given = Neurons(np.array([0, 0, 3000, 3000]), np.array([0, 128, 0, 64]), 131071)
    layer = Dense("a", weight, given, np.diag([254, -256, 254, -256]).astype(np.int16))
    events = check(Program("loihi2", (64,), (layer,)), 0, 0.7)
    assert events["wraps"] > 5
    assert events["saturations"] > 100
