"""Our simulator gives each spike of Lava's, in both of its configurations of a chip."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from snn_lava import netfile
from snn_lava.lava.process import Job, run_job
from snn_lava.lava.toolchain import LavaToolchain
from snn_lava.program import Conv, Dense, Flatten, Neurons, Program
from snn_lava.simulation import Schedule, simulate
from snncore.chip import compare

CHIPS = ("loihi1", "loihi2")


def neurons(current=1024, voltage=128, threshold=80, bias=None):
    bias = None if bias is None else np.asarray(bias, np.int64)
    return Neurons(np.asarray(current), np.asarray(voltage), threshold, bias)


class Draw:
    """Layers of random numbers."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)

    def even(self, *shape, low=-120, high=140):
        return (self.rng.integers(low // 2, high // 2, shape) * 2).astype(np.int16)

    def any(self, *shape):
        return self.rng.integers(-255, 255, shape).astype(np.int16)

    def decays(self, count):
        return self.rng.integers(0, 4097, count)

    def dense(self, given, out, **neuron):
        return Dense("", self.even(out, given), neurons(**neuron))

    def recurrent(self, given, out, **neuron):
        back = self.even(out, out, low=-60, high=60)
        return Dense("", self.even(out, given), neurons(**neuron), back)

    def conv(self, given, out, kernel, groups=1, threshold=80, **rest):
        weight = self.even(out, given // groups, *kernel)
        return Conv("", weight, neurons(threshold=threshold), groups=groups, **rest)


def chain(shape, *layers):
    """A program of layers, each with a name."""
    named = [
        layer if isinstance(layer, Flatten) else type(layer)(**{**vars(layer), "path": f"{i}"})
        for i, layer in enumerate(layers)
    ]
    return Program("loihi2", shape, tuple(named))


def individual(draw):
    """Each layer with decays of its own."""
    return chain(
        (30,),
        draw.dense(30, 24, current=4000, voltage=30, threshold=70),
        draw.dense(24, 12, current=333, voltage=1, threshold=300),
    )


def per_channel(draw):
    """Decays per channel, in dense and convolution."""
    conv = draw.conv(2, 6, (3, 3), padding=(1, 1))
    conv = Conv(**{**vars(conv), "neurons": neurons(draw.decays(6), draw.decays(6), 90)})
    dense = Dense("", draw.even(20, 180), neurons(draw.decays(20), draw.decays(20), 90))
    return chain((2, 6, 5), conv, Flatten(), dense)


def delays(draw):
    """0 to 62 steps, in both layers."""
    first, second = draw.dense(30, 20), draw.dense(20, 8)
    return chain(
        (30,),
        Dense("", first.weight, first.neurons, delay=np.arange(20) * 62 // 19),
        Dense("", second.weight, second.neurons, delay=np.array([0, 1, 0, 3, 5, 0, 2, 0])),
    )


def extremes(draw):
    """Decays of nothing and of all, in turn."""
    return chain(
        (30,),
        draw.dense(30, 20, current=0, voltage=4096, threshold=600),
        draw.dense(20, 20, current=4096, voltage=0, threshold=200),
        draw.dense(20, 10, current=4096, voltage=4096),
    )


def biases(draw):
    """In dense and convolution, with more than one layer to run before the first input."""
    conv = draw.conv(2, 5, (3, 2))
    first = Conv(**{**vars(conv), "neurons": neurons(bias=draw.rng.integers(-30, 50, 5))})
    second = Dense("", draw.even(9, 80), neurons(bias=draw.rng.integers(-30, 50, 9)))
    third = draw.recurrent(9, 7, bias=draw.rng.integers(-30, 50, 7))
    return chain((2, 6, 5), first, Flatten(), second, third)


def odd(draw):
    """Weights that slayer would round, up to the limits."""
    conv = Conv("", draw.any(4, 2, 3, 3), neurons(threshold=300))
    dense = draw.any(10, 48)
    dense[0, :2] = -256, 254
    return chain((2, 6, 5), conv, Flatten(), Dense("", dense, neurons(threshold=300)))


def signs(draw):
    """Matrices of one sign, which Lava stores otherwise; thresholds that fit."""
    plus, minus = draw.even(20, 30, low=0), draw.even(12, 20, low=-120, high=0)
    minus[0, 0] = -122
    return chain(
        (30,),
        Dense("", plus, neurons(4000, 2000, 900)),
        Dense("", minus, neurons(bias=np.full(12, 150))),
    )


def rectangles(draw):
    """Kernel, stride, padding and dilation differ between the axes; groups."""
    first = draw.conv(4, 6, (3, 2), 2, stride=(2, 1), padding=(1, 0), dilation=(1, 3))
    return chain((4, 11, 9), first, draw.conv(6, 6, (1, 3), 6, padding=(0, 2), dilation=(2, 2)))


def pooling(draw):
    """Sums over 2 x 2 as a convolution of 127 groups, the most that Lava takes, then dense."""
    pool = Conv(
        "", np.full((127, 1, 2, 2), 64, np.int16), neurons(4096, 0, 100), (2, 2), groups=127
    )
    return chain((127, 4, 4), pool, Flatten(), draw.dense(508, 10, threshold=30000))


def images(draw):
    """Sides that do not fit in 8 bits, which is where Lava keeps other sizes."""
    first = draw.conv(2, 3, (5, 3), stride=(4, 6), padding=(2, 1), threshold=300)
    second = draw.conv(3, 4, (3, 3), stride=(3, 3), dilation=(2, 1), threshold=300)
    return chain((2, 240, 180), first, second)


def gestures(draw):
    """The shape of a network for DVS gestures, at a quarter of its resolution."""
    layers, given, size = [], 2, 32
    for threshold in (300, 3000, 3000):
        layers += [
            draw.conv(given, 32, (3, 3), padding=(1, 1), threshold=threshold),
            draw.conv(32, 32, (2, 2), stride=(2, 2), threshold=3000),
        ]
        given, size = 32, size // 2
    readout = draw.dense(32 * size * size, 11, threshold=3000)
    return chain((2, 32, 32), *layers, Flatten(), readout)


NETWORKS = {
    "dense": lambda draw: chain((30,), draw.dense(30, 20)),
    "dense, three layers": lambda draw: chain(
        (30,), draw.dense(30, 20), draw.dense(20, 20), draw.dense(20, 8)
    ),
    "decays of each layer": individual,
    "decays of each channel": per_channel,
    "delays": delays,
    "decays 0 and 4096": extremes,
    "biases": biases,
    "odd weights": odd,
    "weights of one sign": signs,
    "recurrent": lambda draw: chain((30,), draw.recurrent(30, 20), draw.recurrent(20, 9)),
    "convolutions": rectangles,
    "pooling": pooling,
    "images": images,
    "gestures": gestures,
}


def spikes(draw, program, steps, samples, rate=0.3):
    x = draw.rng.random((steps, samples, *program.input_shape)) < rate
    return torch.from_numpy(x).float()


def verified(lava, program, x, folder, chip):
    """Compares spikes; gives our run. Some neurons must fire, and not all the time."""
    path = folder / "network.net"
    netfile.write(program, path)
    ours = simulate(program, x)
    found = compare(ours, LavaToolchain(lava, chip).run(path, x))
    assert found.ok, found
    assert found.mismatches == 0
    assert found.bins == ours.output[program.latency :].numel()
    return ours


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("name", NETWORKS)
def test_spikes_are_those_of_lava(lava, tmp_path, name, chip):
    draw = Draw()
    program = NETWORKS[name](draw)
    large = name in ("images", "gestures")
    x = spikes(draw, program, *((24, 2, 0.1) if large else (48, 3)))
    ours = verified(lava, program, x, tmp_path, chip)
    assert 0.01 < ours.output[program.latency :].mean() < 0.9


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize(
    ("current", "voltage", "threshold", "sign"),
    [(0, 128, 100000, 1), (0, 64, 131071, -1), (3000, 0, 131071, -1), (10, 10, 131071, 1)],
)
def test_24_bits_wrap_and_saturate_alike(lava, tmp_path, current, voltage, threshold, sign, chip):
    draw = Draw()
    weight = (sign * draw.even(16, 64, low=-40, high=256)).clip(-256, 254).astype(np.int16)
    program = chain((64,), Dense("", weight, neurons(current, voltage, threshold)))
    x = spikes(draw, program, 300, 1, 0.7)
    ours = verified(lava, program, x, tmp_path, chip)
    assert ours.counters["saturations"] > 1000
    assert (ours.counters["wraps"] > 0) == (current < 3000)


def test_a_threshold_is_passed_not_reached(lava, tmp_path):
    """A potential at the threshold neither fires nor is reset: 2 more are enough."""
    weight = np.array([[64, 2], [65, 2], [66, 2]], np.int16)
    program = chain((2,), Dense("", weight, neurons(4096, 0, 64)))
    x = torch.zeros(3, 1, 2)
    x[0, 0, 0] = x[1, 0, 1] = 1
    ours = verified(lava, program, x, tmp_path, "loihi1")
    assert ours.output[1:3, 0].tolist() == [[0, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize("offset", [0, 1, 2, 17])
@pytest.mark.parametrize("name", ["dense, three layers", "recurrent", "delays", "biases"])
def test_resets_come_when_lava_resets(lava, tmp_path, name, offset):
    """5 samples of 16 steps one behind the other: each step of the whole run is Lava's."""
    draw = Draw()
    program = NETWORKS[name](draw)
    x = spikes(draw, program, 16, 5)
    netfile.write(program, tmp_path / "network.net")
    job = Job(tmp_path / "network.net", "loihi1", together=5, reset_offset=offset)
    theirs = run_job(lava, job, x.numpy(), 600)[program.latency :]
    stream = x.transpose(0, 1).flatten(0, 1).unsqueeze(1)
    ours = simulate(program, stream, schedule=Schedule(16, offset)).output[program.latency :, 0]
    ours = ours.unflatten(0, (5, 16)).transpose(0, 1).numpy()
    assert np.array_equal(theirs, ours)
    alone = simulate(program, x).output[program.latency :].numpy()
    exact = name.startswith("dense") and offset in (1, 17)
    assert np.array_equal(theirs, alone) == exact


def test_samples_together_and_alone_are_the_same(lava, tmp_path):
    draw = Draw()
    program = rectangles(draw)
    x = spikes(draw, program, 16, 4)
    netfile.write(program, tmp_path / "network.net")
    jobs = [Job(tmp_path / "network.net", together=together) for together in (1, 2, 4)]
    runs = [run_job(lava, job, x.numpy(), 600) for job in jobs]
    assert np.array_equal(runs[0], runs[1])
    assert np.array_equal(runs[0], runs[2])
    assert runs[0].any()


@pytest.mark.parametrize("name", ["delays", "recurrent", "biases"])
def test_what_reaches_the_next_sample_runs_alone(lava, tmp_path, name):
    """Together such networks go wrong, whatever the offset of the reset."""
    draw = Draw()
    program = NETWORKS[name](draw)
    x = spikes(draw, program, 48, 2)
    netfile.write(program, tmp_path / "network.net")
    ours = simulate(program, x).output.numpy()
    together = run_job(lava, Job(tmp_path / "network.net", together=2), x.numpy(), 600)
    assert (together != ours)[program.latency :].sum() > 0
