"""What Lava runs otherwise than a file says, silently or not: why our rules refuse it."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch

from snn_lava import netfile
from snn_lava.lava.process import Job, run_job
from snn_lava.program import Conv, Dense, Flatten, Neurons, Program
from snn_lava.scaling import stored_exactly
from snn_lava.simulation import simulate
from snncore.errors import ChipError

RNG = np.random.default_rng(0)


def even(*shape):
    return (RNG.integers(-60, 64, shape) * 2).astype(np.int16)


def neurons(current=1024, voltage=128, threshold=80):
    return Neurons(np.array(current), np.array(voltage), threshold)


NEURONS = neurons()
DENSE = Dense("a", even(20, 20), NEURONS)
CONV = Conv("a", even(4, 2, 3, 3), NEURONS, padding=(1, 1))
FLAT = Program("loihi1", (20,), (DENSE,))
IMAGE = Program("loihi1", (2, 6, 5), (CONV,))


def chain(*layers):
    return Program("loihi1", (20,), layers)


def spikes(program, steps=24, samples=2):
    x = np.random.default_rng(1).random((steps, samples, *program.input_shape)) < 0.3
    return torch.from_numpy(x).float()


class Bench:
    """Writes a program, changes the file, and has Lava run it."""

    def __init__(self, interpreter, folder):
        self.interpreter = interpreter
        self.path = folder / "network.net"

    def run(self, program, change=None, x=None, message_bits=0):
        netfile.write(program, self.path)
        if change is not None:
            with h5py.File(self.path, "r+") as file:
                change(file)
        x = spikes(program) if x is None else x
        job = Job(self.path, "loihi1", message_bits=message_bits)
        return run_job(self.interpreter, job, x.numpy(), 60)


@pytest.fixture
def bench(lava, tmp_path):
    return Bench(lava, tmp_path)


def ours(program, x=None):
    return simulate(program, spikes(program) if x is None else x).output.numpy()


def other(first, second):
    """How many spikes of two runs differ."""
    assert first.shape == second.shape
    assert second.any()
    return int((first != second).sum())


def put(name, value):
    def change(file):
        if name in file:
            del file[name]
        file[name] = value

    return change


def test_graded_spikes_become_binary(bench):
    graded = replace(DENSE, neurons=replace(NEURONS, graded=True))
    said = chain(graded, DENSE)
    found = bench.run(chain(DENSE, DENSE), put("layer/1/neuron/gradedSpike", True))
    assert np.array_equal(found, ours(chain(DENSE, DENSE)))
    assert other(found, ours(said)) > 0


def test_delays_of_convolutions_are_ignored(bench):
    found = bench.run(IMAGE, put("layer/1/delay", np.array([1, 2, 0, 3])))
    assert np.array_equal(found, ours(IMAGE))
    late = np.concatenate([np.zeros_like(found[:2]), found[:-2]])
    assert other(found[:, :, 1], late[:, :, 1]) > 0


def test_delays_of_recurrent_layers_are_others(bench):
    """They delay the feedback as well, and the scale of the weights is forgotten."""
    delay = np.arange(20) % 5
    weight = (DENSE.weight // 4 * 2).astype(np.int16)
    layer = Dense("a", weight, NEURONS, recurrent=(weight[::-1] // 4 * 2).copy())
    found = bench.run(chain(layer), put("layer/1/delay", delay))
    assert other(found, ours(chain(replace(layer, delay=delay)))) > 0
    assert other(found, ours(chain(layer))) > 0


def test_delays_beyond_62_are_clipped(bench):
    weight = np.abs(DENSE.weight)
    x = spikes(FLAT, 80)
    found = bench.run(chain(replace(DENSE, weight=weight)), put("layer/1/delay", [70] * 20), x=x)
    program = chain(replace(DENSE, weight=weight, delay=np.full(20, 62)))
    assert np.array_equal(found, ours(program, x))


def test_numbers_of_the_input_become_spikes(bench):
    x = spikes(FLAT) * 3
    found = bench.run(FLAT, x=x)
    assert np.array_equal(found, ours(FLAT))
    # Three wires of one spike are one wire of 3.
    wide = Program("loihi1", (60,), (replace(DENSE, weight=np.tile(DENSE.weight, 3)),))
    said = ours(wide, torch.cat(3 * [x / 3], -1))
    assert other(found, said) > 0
    assert np.array_equal(bench.run(FLAT, x=x, message_bits=8), said)


def test_layers_without_neurons_get_some(bench):
    """Of a threshold that they never pass."""

    def change(file):
        del file["layer/1/neuron"]

    loud = chain(replace(DENSE, weight=np.full((20, 20), 254, np.int16)))
    x = torch.ones(60, 1, 20)
    found = bench.run(loud, change, x)
    assert not found.any()
    assert ours(loud, x).any()


def test_exponents_of_weights_are_ignored(bench):
    found = bench.run(FLAT, put("layer/1/neuron/weight_exp", np.array([2.0], np.float32)))
    assert np.array_equal(found, ours(FLAT))


def test_fractions_of_weights_are_cut(bench):
    found = bench.run(FLAT, put("layer/1/weight", DENSE.weight * 1.37))
    cut = (DENSE.weight * 1.37).astype(np.int16)
    assert np.array_equal(found, ours(chain(replace(DENSE, weight=cut))))


def test_biases_beyond_16_bits_wrap(bench):
    found = bench.run(FLAT, put("layer/1/bias", np.full(20, 40000)))
    wrapped = replace(NEURONS, bias=np.full(20, 40000 - (1 << 16)))
    assert np.array_equal(found, ours(chain(replace(DENSE, neurons=wrapped))))


def test_thresholds_beyond_17_bits_never_fire(bench):
    loud = chain(replace(DENSE, weight=np.full((20, 20), 254, np.int16)))
    found = bench.run(loud, put("layer/1/neuron/vThMant", 131072), torch.ones(200, 1, 20))
    assert not found.any()


# Weights of one neuron, and what Lava makes of them.
MATRICES = {
    "all the least": ([-64, -64], [0, 0]),
    "0 and a power": ([-64, 0], [-32, 0]),
    "a power and even": ([-64, -2], [-62, -2]),
    "all of three": ([-256, 0, -2], [-255, 0, -2]),
    "no power": ([-66, -2, 0], [-66, -2, 0]),
    "a power, but one positive": ([-64, -2, 2], [-64, -2, 2]),
    "odd beside 0": ([-129, 0], [0, 0]),
    "odd and negative": ([-129, -1], [-129, -1]),
    "odd": ([-255, 253, 1], [-255, 253, 1]),
    "odd and positive": ([255, 1, 0], [255, 1, 0]),
    "255 beside negative": ([255, -1], [254, -1]),
    "256": ([256, 2], [0, 0]),
    "300 beside negative": ([300, -2], [254, -2]),
    "-300": ([-300, -2], [0, 0]),
    "-300 beside positive": ([-300, 2], [-256, 2]),
}


@pytest.mark.parametrize("name", MATRICES)
def test_what_dense_weights_become(bench, name):
    """For each weight two neurons, one that it just lets fire, and one that it just does not."""
    said, made = MATRICES[name]
    bias = np.array([400 - weight + above for weight in made for above in (1, 0)])
    layer = Dense(
        "a",
        np.full((len(bias), len(said)), 2, np.int16),
        Neurons(np.array(4096), np.array(4096), 400, bias),
    )
    x = torch.eye(len(said)).unsqueeze(1)
    program = Program("loihi1", (len(said),), (layer,))
    found = bench.run(program, put("layer/1/weight", np.array(len(bias) * [said])), x)
    even = np.array([said])
    if not (even % 2).any() and even.min() >= -256 and even.max() <= 254:
        assert stored_exactly(even) == (said == made)
    for i in range(len(made)):
        assert found[i + 1, 0, 2 * i : 2 * i + 2].tolist() == [1, 0]


def test_the_halves_of_recurrent_weights_go_wrong_each(bench):
    """Feedback without a positive weight, though the input has some."""
    driven = Neurons(np.array(4096), np.array(4096), 99, np.array([0, 226]))
    weight, back = np.array([[100, 0], [0, -128]]), np.array([[0, 0], [-128, 0]])
    layer = Dense("a", weight.astype(np.int16), driven, recurrent=back.astype(np.int16))
    program = Program("loihi1", (2,), (layer,))
    x = torch.zeros(8, 1, 2)
    x[:, :, 0] = 1
    found, said = bench.run(program, x=x), ours(program, x)
    assert (found != said)[:, 0, 0].sum() == 0
    assert (found != said)[:, 0, 1].sum() > 0
    changed = replace(layer, recurrent=np.array([[0, 0], [-126, 0]], np.int16))
    assert not stored_exactly(weight, back)
    assert np.array_equal(found, ours(replace(program, layers=(changed,)), x))


def test_feedback_that_shares_a_smaller_shift_is_exact(bench):
    """The largest weight keeps all at their place, where only -256 would be clipped."""
    weight, back = even(8, 20), np.full((8, 8), -128, np.int16)
    weight[0, 0] = 254
    layer = Dense("a", weight, neurons(threshold=300), recurrent=back)
    assert stored_exactly(weight, back)
    assert not other(bench.run(chain(layer)), ours(chain(layer)))


def test_convolutions_take_any_weight(bench):
    for weight in (np.full((4, 2, 3, 3), -256), np.zeros((4, 2, 3, 3)), 1000 * CONV.weight):
        given = Neurons(np.array(1024), np.array(128), 80, np.full(4, 2000))
        program = replace(IMAGE, layers=(replace(CONV, neurons=given),))
        found = bench.run(program, put("layer/1/weight", weight))
        layer = replace(program.layers[0], weight=weight)
        # Behind the writer's back, for which these are out of range.
        assert np.array_equal(found, ours(replace(program, layers=(layer,))))


def conv_of(groups, kernel=1, stride=1, padding=0):
    size = 280 if max(kernel, stride, padding) > 1 else 1
    weight = np.full((groups, 1, kernel, 1), 30, np.int16)
    layer = Conv("a", weight, NEURONS, (stride, 1), (padding, 0), groups=groups)
    return Program("loihi1", (groups, size, 1), (layer,))


def kind(name, layer=1):
    return put(f"layer/{layer}/type", np.array([name.encode()], "S10"))


def input_neuron(file):
    file.copy("layer/1/neuron", "layer/0/neuron")


FAILURES = {
    "neurons of the input": (FLAT, input_neuron, "NotImplementedError: No subcompiler exists"),
    "pool": (IMAGE, kind("pool"), "NotImplementedError: pool is not implemented"),
    "unpool": (IMAGE, kind("unpool"), "NotImplementedError: unpool is not implemented"),
    "convT": (IMAGE, kind("convT"), "NotImplementedError: convT is not implemented"),
    "average": (FLAT, kind("average"), "NotImplementedError: average is not implemented"),
    "concat": (FLAT, kind("concat"), "NotImplementedError: concat is not implemented"),
    "no weight but 0": (
        FLAT,
        put("layer/1/weight", np.zeros((20, 20), np.int16)),
        "OverflowError: cannot convert float infinity to integer",
    ),
    "bits of messages": (FLAT, put("layer/1/neuron/messageBits", 8), "TypeError"),
    "adaptive threshold": (FLAT, put("layer/1/neuron/type", "ALIF"), "AttributeError"),
    "no flatten": (
        Program("loihi1", (2, 6, 5), (CONV, Flatten(), Dense("b", even(6, 120), NEURONS))),
        kind("nothing", 2),
        "AssertionError: Shapes",
    ),
    "delay and feedback": (
        chain(Dense("a", even(9, 20), NEURONS, recurrent=even(9, 9))),
        put("layer/1/delay", np.arange(9)),
        "ValueError: DelayDense Process 'delays' expects same shape",
    ),
    "negative delay": (
        FLAT,
        put("layer/1/delay", np.full(20, -1)),
        "ValueError: DelayDense Process 'delays' expects only positive",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_lava_does_not_load(bench, name):
    program, change, text = FAILURES[name]
    with pytest.raises(ChipError) as error:
        bench.run(program, change)
    assert text in error.value.__notes__[0]


SIZES = {
    "groups": lambda size: conv_of(size),
    "kernel": lambda size: conv_of(1, kernel=size),
    "stride": lambda size: conv_of(1, stride=size),
    "padding": lambda size: conv_of(1, padding=size),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_end_at_127(bench, name):
    """With numpy 2 by an error, with numpy 1 also by other numbers."""
    program = SIZES[name](127)
    assert np.array_equal(bench.run(program), ours(program))
    program = SIZES[name](128)
    try:
        found = bench.run(program)
    except ChipError:
        return
    assert not np.array_equal(found, ours(program))
