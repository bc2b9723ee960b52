"""What is written is what is read, and what stands in the file by its names."""

from __future__ import annotations

import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snn_lava.netfile import read, write
from snn_lava.program import Conv, Dense, Flatten, Program
from snncore.chip import digest, written_aside
from snncore.errors import ChipError

TEXT, FREE = "|S10", "|S4"
INT, WEIGHT = "int64", "int16"
# Sections of the schema, by hand.
NEURON = {
    "neuron/type": (FREE, (), b"CUBA"),
    "neuron/vThMant": (INT, (), 80),
    "neuron/refDelay": (INT, (), 1),
    "neuron/gradedSpike": ("bool", (), False),
    "neuron/vDecay": (INT, (), 123),
}


def weights(*shape: int) -> np.ndarray:
    return ((np.arange(np.prod(shape)) * 2) % 300 - 100).reshape(shape).astype(np.int16)


def example(neurons) -> Program:
    decays = np.array([1, 2, 3, 4])
    bias = np.array([-4096, 0, 1, 4095])
    return Program(
        "loihi1",
        (2, 5, 6),
        (
            Conv(
                "net.conv",
                weights(4, 1, 3, 2),
                neurons(current_decay=decays, bias=bias),
                (2, 1),
                (1, 0),
                (1, 2),
                2,
            ),
            Flatten(),
            Dense("net.one", weights(5, 48), neurons(), delay=np.array([0, 1, 2, 3, 62])),
            Dense("net.two", weights(3, 5), neurons(), recurrent=weights(3, 3)),
        ),
    )


def content(path: Path) -> dict[str, tuple[str, tuple[int, ...], object]]:
    found = {}

    def keep(name: str, node: object) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = (str(node.dtype), node.shape, np.asarray(node[()]).tolist())

    with h5py.File(path) as h5:
        h5.visititems(keep)
    return found


@settings(max_examples=25)
@given(data=st.data())
def test_any_program(data, programs):
    program = data.draw(programs)
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "a.net"), Path(folder, "b.net")
        write(program, first)
        again = read(first)
        write(again, second)
        assert first.read_bytes() == second.read_bytes()
    assert (again.chip, again.input_shape) == (program.chip, program.input_shape)
    found, expected = again.content(), program.content()
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert type(found[name]) is type(value), name
        assert np.array_equal(found[name], value), name
        if isinstance(value, np.ndarray):
            assert found[name].dtype == value.dtype
    assert digest(found) == digest(expected)


def test_the_schema(tmp_path, neurons):
    program = example(neurons)
    write(program, tmp_path / "a.net")
    layers = {
        0: {"type": (TEXT, (1,), [b"input"]), "shape": (INT, (3,), [2, 5, 6])},
        1: {
            "type": (TEXT, (1,), [b"conv"]),
            "shape": (INT, (3,), [4, 3, 4]),
            "inChannels": (INT, (), 2),
            "outChannels": (INT, (), 4),
            "groups": (INT, (), 2),
            "kernelSize": (INT, (2,), [3, 2]),
            "stride": (INT, (2,), [2, 1]),
            "padding": (INT, (2,), [1, 0]),
            "dilation": (INT, (2,), [1, 2]),
            "weight": (WEIGHT, (4, 1, 3, 2), program.layers[0].weight.tolist()),
            "bias": (INT, (4,), [-4096, 0, 1, 4095]),
            **NEURON,
            "neuron/iDecay": (INT, (4,), [1, 2, 3, 4]),
        },
        2: {"type": (TEXT, (1,), [b"flatten"]), "shape": (INT, (3,), [48, 1, 1])},
        3: {
            "type": (TEXT, (1,), [b"dense"]),
            "shape": (INT, (1,), [5]),
            "inFeatures": (INT, (), 48),
            "outFeatures": (INT, (), 5),
            "weight": (WEIGHT, (5, 48), program.layers[2].weight.tolist()),
            "delay": (INT, (5,), [0, 1, 2, 3, 62]),
            **NEURON,
            "neuron/iDecay": (INT, (), 1024),
        },
        4: {
            "type": (TEXT, (1,), [b"dense_rec"]),
            "shape": (INT, (1,), [3]),
            "inFeatures": (INT, (), 5),
            "outFeatures": (INT, (), 3),
            "weight": (WEIGHT, (3, 5), program.layers[3].weight.tolist()),
            "weight_rec": (WEIGHT, (3, 3), program.layers[3].recurrent.tolist()),
            **NEURON,
            "neuron/iDecay": (INT, (), 1024),
        },
    }
    expected = {
        f"layer/{i}/{name}": value for i, layer in layers.items() for name, value in layer.items()
    }
    assert content(tmp_path / "a.net") == expected


def test_what_netx_has_no_field_for_stands_in_attributes(tmp_path, neurons):
    program = example(neurons)
    write(program, tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as h5:
        found = {name: value.decode() for name, value in h5.attrs.items()}
        paths = {name: group.attrs["path"] for name, group in h5["layer"].items() if group.attrs}
    assert found.pop("producer").startswith("snn-lava ")
    assert found == {
        "snn_format": "lava-net",
        "snn_version": "1",
        "chip": "loihi1",
        "sha256": digest(program.content()),
    }
    assert paths == {"1": b"net.conv", "3": b"net.one", "4": b"net.two"}


def test_two_files_of_one_program_are_equal(tmp_path, neurons):
    for name in "ab":
        with written_aside(tmp_path / name) as aside:
            write(example(neurons), aside)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with h5py.File(tmp_path / "a") as h5:
        assert h5py.h5g.get_objinfo(h5["layer/1/weight"].id).mtime == 0


def test_a_digest_is_the_same_tomorrow(tmp_path, neurons):
    write(example(neurons), tmp_path / "a.net")
    assert digest(read(tmp_path / "a.net").content()) == SHA256


def test_the_file_is_closed(tmp_path, neurons):
    write(example(neurons), tmp_path / "a.net")
    read(tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net", "w"):
        pass


def test_graded_spikes_are_not_written(tmp_path, neurons):
    layer = Dense("net.1", weights(3, 2), neurons(graded=True))
    with pytest.raises(
        ChipError, match=r"^net\.1: graded spikes reach Lava by no file: simulate only$"
    ):
        write(Program("loihi2", (2,), (layer,)), tmp_path / "a.net")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"threshold": 131072}, r"neuron/vThMant: holds 131072, expected are 1 to 131071; scale"),
        (
            {"bias": np.array([0, 5000, 0])},
            r"layer/1/bias: holds 5000 at \[1\], expected are -4096",
        ),
        ({"current_decay": np.array(4097)}, "iDecay: holds 4097, expected are 0 to 4096$"),
    ],
)
def test_what_cannot_be_read_is_not_written(tmp_path, neurons, changed, text):
    layer = Dense("a", weights(3, 2), neurons(**changed))
    with (
        pytest.raises(ChipError, match=text),
        written_aside(tmp_path / "a.net") as aside,
    ):
        write(Program("loihi2", (2,), (layer,)), aside)
    assert not list(tmp_path.iterdir())


SHA256 = "b7193e60ad26fedd85a3a34afb55ea8d437ab71e03ae1547a4efee5d4ab492ff"
