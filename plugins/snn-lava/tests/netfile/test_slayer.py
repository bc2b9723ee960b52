"""Files of slayer: other types of numbers, no attributes, perhaps no input layer."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from snn_lava.netfile import read
from snn_lava.program import Conv, Dense, Flatten
from snncore.chip import digest
from snncore.errors import ChipError


def test_every_layer(lay, slayers):
    program = read(lay())
    assert (program.chip, program.input_shape) == ("loihi2", (2, 4, 5))
    assert program.shapes() == ((4, 2, 4), (32,), (3,), (2,))
    conv, flatten, dense, recurrent = program.layers
    assert isinstance(conv, Conv)
    assert isinstance(flatten, Flatten)
    assert isinstance(dense, Dense)
    assert isinstance(recurrent, Dense)
    assert [layer.path for layer in (conv, dense, recurrent)] == ["layer.1", "layer.3", "layer.4"]
    for i, layer in ((1, conv), (3, dense), (4, recurrent)):
        assert layer.weight.dtype == np.int16
        assert np.array_equal(layer.weight, slayers[f"{i}/weight"])
        assert layer.neurons.threshold == 80
        assert int(layer.neurons.voltage_decay) == 123
    assert conv.neurons.current_decay.tolist() == [0, 1, 2047, 4096]
    assert conv.neurons.bias is not None
    assert conv.neurons.bias.tolist() == [0, -64, 64, 128]
    assert (conv.stride, conv.padding, conv.dilation, conv.groups) == ((1, 1), (0, 0), (1, 1), 1)
    assert dense.delay is not None
    assert dense.delay.tolist() == [0, 5, 9]
    assert recurrent.recurrent is not None
    assert np.array_equal(recurrent.recurrent, slayers["4/weight_rec"])


@pytest.mark.parametrize("dtype", ["f2", ">f4", "f8", "i2", ">i4", "i8"])
def test_any_numeric_type(lay, slayers, dtype):
    numbers = {
        name: np.asarray(value, dtype)
        for name, value in slayers.items()
        if not name.endswith("type")
    }
    assert digest(read(lay(numbers)).content()) == digest(read(lay(name="b.net")).content())


def test_texts_of_any_length_and_shape(lay):
    changed = {"1/type": "conv", "3/type": np.bytes_(b"dense"), "1/neuron/type": np.bytes_("CUBA")}
    changed |= {"3/neuron/type": "LOIHI", "4/neuron/type": np.array([b"CUBA"])}
    assert digest(read(lay(changed)).content()) == digest(read(lay(name="b.net")).content())


def test_only_what_lava_needs(lay, slayers):
    more = ("Features", "Channels", "kernelSize", "refDelay", "gradedSpike")
    least = {name: None for name in slayers if name.endswith(more)}
    assert digest(read(lay(least)).content()) == digest(read(lay(name="b.net")).content())


def test_the_group_of_a_simulation_is_passed_over(lay):
    path = lay()
    with h5py.File(path, "a") as h5:
        h5["simulation/Ts"], h5["simulation/tSample"] = 1, 100
    assert len(read(path).layers) == 4


def without_input(slayers, first):
    """The layers from ``first`` on, counted anew."""
    changed = dict.fromkeys(slayers)
    for name, value in slayers.items():
        i, _, rest = name.partition("/")
        if int(i) >= first:
            changed[f"{int(i) - first}/{rest}"] = value
    return changed


def test_a_matrix_says_what_goes_in(lay, slayers):
    program = read(lay(without_input(slayers, 3)), chip="loihi1")
    assert (program.chip, program.input_shape) == ("loihi1", (32,))
    assert program.shapes() == ((3,), (2,))


def test_a_convolution_does_not(lay, slayers):
    path = lay(without_input(slayers, 1))
    with pytest.raises(
        ChipError,
        match=r"a\.net: layer/0: the file does not say what shape the input of its first layer, "
        r"conv, has; pass input_shape=\(C, H, W\)$",
    ):
        read(path)
    assert read(path, (2, 4, 5)).shapes() == read(lay(name="b.net")).shapes()


def test_a_shape_that_the_file_has_is_not_overruled(lay):
    assert read(lay(), (2, 4, 5)).input_shape == (2, 4, 5)
    with pytest.raises(
        ChipError, match=r"layer/0/shape: is \(2, 4, 5\), but input_shape=\(2, 5, 4\) was given"
    ):
        read(lay(), (2, 5, 4))
