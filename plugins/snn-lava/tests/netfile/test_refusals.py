"""Every reason to refuse a file, with what it says of where and why."""

from __future__ import annotations

import os
import re
import shutil
import threading

import h5py
import numpy as np
import pytest

from snn_lava.netfile import read, write
from snn_lava.netfile.layout import SIZES
from snn_lava.program import Dense, Program
from snncore.errors import ChipError

HALF = np.array([[0.5, 1], [2, 3]], np.float32)
NAN = np.array([[1, 2], [np.nan, 3]], np.float32)
FEW = np.zeros((2, 2), np.float32)

REFUSED = {
    "a fraction": (
        {"4/weight_rec": HALF},
        "layer/4/weight_rec: holds 0.5 at [0, 0], expected are whole numbers from -256 to 254; "
        "quantise the network before its export",
    ),
    "no number": (
        {"4/weight_rec": NAN},
        "layer/4/weight_rec: holds nan at [1, 0], expected are whole numbers from -256 to 254",
    ),
    "a fraction for one": (
        {"1/neuron/vThMant": 80.5},
        "layer/1/neuron/vThMant: holds 80.5, expected are whole numbers from 1 to 131071",
    ),
    "a weight too large": (
        {"4/weight_rec": 300 + FEW},
        "layer/4/weight_rec: holds 300.0 at [0, 0], expected are -256 to 254; quantise",
    ),
    "a number far too large": (
        {"1/neuron/vThMant": np.uint64(1 << 63)},
        "layer/1/neuron/vThMant: holds 9223372036854775808, expected are 1 to 131071; scale it",
    ),
    "a threshold of zero": (
        {"1/neuron/vThMant": 0},
        "layer/1/neuron/vThMant: holds 0, expected are 1 to 131071; scale it and the weights by "
        "one factor",
    ),
    "an integrator without spikes": (
        {"3/neuron/vThMant": 262143},
        "layer/3/neuron/vThMant: holds 262143, expected are 1 to 131071",
    ),
    "a delay too long": (
        {"3/delay": [0, 1, 63]},
        "layer/3/delay: holds 63 at [2], expected are 0 to 62",
    ),
    "a bias too large": (
        {"1/bias": [0, 0, -4097, 0]},
        "layer/1/bias: holds -4097 at [2], expected are -4096 to 4095",
    ),
    "a decay above 1": (
        {"3/neuron/vDecay": 4097},
        "layer/3/neuron/vDecay: holds 4097, expected are 0 to 4096",
    ),
    "a refractory time": (
        {"1/neuron/refDelay": 2},
        "layer/1/neuron/refDelay: holds 2, expected is 1; Lava runs no refractory time: train "
        "without one",
    ),
    "graded spikes": (
        {"1/neuron/gradedSpike": True},
        "layer/1/neuron/gradedSpike: holds True, expected is 0; graded spikes reach Lava by no "
        "file: simulate only",
    ),
    "message bits": (
        {"1/neuron/messageBits": 16},
        "layer/1/neuron/messageBits: is not known here, expected is nothing but type, iDecay, "
        "vDecay, vThMant, refDelay, gradedSpike; graded spikes reach Lava by no file",
    ),
    "pooling": (
        {"1/type": b"pool"},
        "layer/1/type: is 'pool', expected is one of dense, dense_rec, conv, flatten; write sum "
        "pooling as a convolution with one group per channel",
    ),
    "unpooling": ({"1/type": b"unpool"}, "layer/1/type: is 'unpool', expected is one of dense"),
    "a transposed convolution": (
        {"1/type": b"convT"},
        "layer/1/type: is 'convT', expected is one of dense, dense_rec, conv, flatten; leave it "
        "out of what goes to the chip",
    ),
    "an average": (
        {"4/type": b"average"},
        "layer/4/type: is 'average', expected is one of dense, dense_rec, conv, flatten; average "
        "on the host what the chip gives",
    ),
    "concatenation": (
        {"4/type": b"concat"},
        "layer/4/type: is 'concat', expected is one of dense, dense_rec, conv, flatten; Lava runs "
        "chains of layers only",
    ),
    "some other layer": ({"4/type": b"kwta"}, "layer/4/type: is 'kwta', expected is one of"),
    "an input in between": (
        {"2/type": b"input"},
        "layer/2/type: is 'input', expected is one of dense, dense_rec, conv, flatten; an input "
        "layer is the first",
    ),
    "an input with neurons": (
        {"0/neuron/type": "CUBA"},
        "layer/0/neuron: is not known here, expected is nothing but type, shape; encode the input "
        "on the host, and leave the neurons out of this layer",
    ),
    "a scaled input": ({"0/weight": [64.0]}, "layer/0/weight: is not known here"),
    "complex weights": (
        {"3/weight": None, "3/weight/real": FEW, "3/weight/imag": FEW},
        "layer/3/weight: is complex (real, imag), as resonate-and-fire neurons have it; expected "
        "are real weights, other neurons than CUBA are not supported",
    ),
    "complex numbers": (
        {"4/weight_rec": FEW.astype(np.complex64)},
        "layer/4/weight_rec: is of type complex64, expected are whole numbers",
    ),
    "adaptive neurons": (
        {"3/neuron/type": "ALIF", "3/neuron/vThStep": 1},
        "layer/3/neuron/type: is 'ALIF', expected is CUBA; other neurons are not supported",
    ),
    "sigma-delta neurons": ({"3/neuron/type": "SDNN"}, "layer/3/neuron/type: is 'SDNN'"),
    "resonators": ({"3/neuron/type": "RF_PHASE"}, "layer/3/neuron/type: is 'RF_PHASE'"),
    "a layer without neurons": (
        {
            f"3/neuron/{name}": None
            for name in ("type", "iDecay", "vDecay", "vThMant", "refDelay", "gradedSpike")
        },
        "layer/3/neuron: is missing, expected is a group",
    ),
    "no weight": ({"3/weight": None}, "layer/3/weight: is missing, expected are whole numbers"),
    "no weight back": ({"4/weight_rec": None}, "layer/4/weight_rec: is missing, expected are"),
    "no stride": ({"1/stride": None}, "layer/1/stride: is missing, expected are whole numbers"),
    "no decay": ({"1/neuron/iDecay": None}, "layer/1/neuron/iDecay: is missing"),
    "no type": ({"1/type": None}, "layer/1/type: is missing, expected is a text"),
    "no shape": ({"1/shape": None}, "layer/1/shape: is missing, expected are whole numbers"),
    "weights back that are not asked for": (
        {"3/weight_rec": np.zeros((3, 3))},
        "layer/3/weight_rec: is not known here, expected is nothing but type, shape, neuron, "
        "weight, inFeatures, outFeatures, delay, bias; take it out if it does not matter",
    ),
    "the delay of a convolution": (
        {"1/delay": [0, 0, 1, 0]},
        "layer/1/delay: is not known here, expected is nothing but type, shape, neuron, weight, "
        "inChannels, outChannels, kernelSize, stride, padding, dilation, groups, bias; Lava "
        "ignores delays of a convolution, and delays feedback too: train without them",
    ),
    "delays beside feedback": (
        {"4/delay": [0, 1]},
        "layer/4/delay: is not known here, expected is nothing but type, shape, neuron, weight, "
        "inFeatures, outFeatures, bias, weight_rec; Lava ignores delays of a convolution, and "
        "delays feedback too: train without them",
    ),
    "scaled weights": (
        {"1/neuron/weight_exp": [6.0]},
        "layer/1/neuron/weight_exp: is not known here",
    ),
    "a rank too high": (
        {"3/weight": np.zeros((3, 32, 1))},
        "layer/3/weight: has the shape (3, 32, 1), expected is (out, in)",
    ),
    "an axis for one number": (
        {"3/neuron/vThMant": [80]},
        "layer/3/neuron/vThMant: has the shape (1,), expected is ()",
    ),
    "a rank too high for one or many": (
        {"3/neuron/iDecay": [[80]]},
        "layer/3/neuron/iDecay: has the shape (1, 1), expected is (out) or ()",
    ),
    "one for all where each has its own": (
        {"1/bias": 5},
        "layer/1/bias: has the shape (), expected is (out)",
    ),
    "a text for a number": (
        {"1/groups": "one"},
        "layer/1/groups: is of type object, expected are whole numbers",
    ),
    "a number for a text": ({"1/type": 3}, "layer/1/type: is int64 of shape (), expected is one"),
    "several texts": (
        {"1/type": np.array([b"conv", b"conv"])},
        "layer/1/type: is |S4 of shape (2,), expected is one text",
    ),
    "a group for a number": ({"1/stride": None, "1/stride/x": 1}, "layer/1/stride: is a group"),
    "a number for a group": (
        {"2": 3, "2/type": None, "2/shape": None},
        "layer/2: is a dataset, expected is a group",
    ),
    "a type for a number": (
        {"1/groups": np.dtype("i8")},
        "layer/1/groups: is a datatype, expected are whole numbers",
    ),
    "an axis of nothing": (
        {"3/weight": np.zeros((0, 32))},
        "layer/3/weight: has the shape (0, 32): it holds nothing",
    ),
    "no numbers at all": (
        {"3/weight": h5py.Empty("f4")},
        "layer/3/weight: has the shape None, expected is (out, in)",
    ),
    "too many weights for what comes": (
        {"3/weight": np.zeros((3, 33))},
        "layer/3/weight: has the shape (3, 33), expected is (3, 32) (out, in)",
    ),
    "channels that do not fit": (
        {"1/weight": np.zeros((4, 1, 3, 2))},
        "layer/1/weight: has the shape (4, 1, 3, 2), expected is (4, 2, 3, 2) (out, in / groups, "
        "height, width)",
    ),
    "groups that do not fit": (
        {"1/groups": 3},
        "layer/1/groups: is 3, expected is a divisor of 2 and 4, the channels before and behind",
    ),
    "another kernel": (
        {"1/kernelSize": [2, 3]},
        "layer/1/kernelSize: says (2, 3), expected is (3, 2) (height, width)",
    ),
    "other features": (
        {"3/inFeatures": 31},
        "layer/3/inFeatures: says (31,), expected is (32,) (in)",
    ),
    "too few delays": ({"3/delay": [1, 2]}, "layer/3/delay: has the shape (2,), expected is (3,)"),
    "too few decays": (
        {"1/neuron/iDecay": [1, 2, 3]},
        "layer/1/neuron/iDecay: has the shape (3,), expected is (4,) (out)",
    ),
    "three strides": (
        {"1/stride": [1, 1, 1]},
        "layer/1/stride: has the shape (3,), expected is (2,)",
    ),
    "another shape": (
        {"1/shape": [4, 4, 2]},
        "layer/1/shape: is (4, 4, 2), but its layer makes (4, 2, 4) of (2, 4, 5)",
    ),
    "a flat flatten": (
        {"2/shape": [32]},
        "layer/2/shape: is (32,), but its layer makes (32, 1, 1) of (4, 2, 4)",
    ),
    "a kernel beyond its input": (
        {"1/dilation": [2, 5]},
        "layer/1/shape: is (4, 2, 4), but its layer makes (4, 0, 0) of (2, 4, 5)",
    ),
    "no flatten": (
        {"2/type": b"dense", "2/weight": np.zeros((3, 2)), "2/neuron/type": "CUBA"},
        "layer/2: takes (N,), but the layer before gives (4, 2, 4); a flatten layer is missing "
        "between",
    ),
    "two flattens": (
        {"5/type": b"flatten", "5/shape": [2, 1, 1]},
        "layer/5: takes (C, H, W), but the layer before gives (2,)",
    ),
    "an input of two axes": (
        {"0/shape": [4, 5]},
        "layer/0/shape: is (4, 5), expected is (N,) or (C, H, W)",
    ),
    "an input beyond all chips": (
        {"0/shape": [2, SIZES.high, SIZES.high]},
        f"layer/0/shape: (2, {SIZES.high}, {SIZES.high}) are more than {SIZES.high} neurons",
    ),
    "an axis beyond all chips": (
        {"0/shape": [2, 4, SIZES.high + 1]},
        f"layer/0/shape: holds {SIZES.high + 1} at [2], expected are 1 to {SIZES.high}",
    ),
    "a stride of zero": ({"1/stride": [0, 1]}, "layer/1/stride: holds 0 at [0], expected are 1"),
    "a negative padding": ({"1/padding": [0, -1]}, "layer/1/padding: holds -1 at [1], expected"),
    "a gap": (
        {"6/type": b"flatten"},
        "layer: holds 0, 1, 2, 3, 4, 6, expected are layers 0, 1, 2, ... without a gap",
    ),
    "another name": ({"end/type": b"flatten"}, "layer: holds 0, 1, 2, 3, 4, end, expected are"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_of_slayer(lay, name):
    changed, text = REFUSED[name]
    path = lay(changed)
    with pytest.raises(ChipError, match="^" + re.escape(f"{path}: {text}")):
        read(path)


@pytest.fixture
def ours(tmp_path, neurons):
    """A file of this package, with what was done to it since."""

    def make(change=None):
        path = tmp_path / "ours.net"
        layer = Dense("net.1", np.array([[2, 4], [6, 8]], np.int16), neurons())
        write(Program("loihi2", (2,), (layer,)), path)
        if change is not None:
            with h5py.File(path, "a") as h5:
                change(h5)
        return path

    return make


def put(place, value, **options):
    def change(h5):
        if place in h5:
            del h5[place]
        h5.create_dataset(place, data=value, **options)

    return change


def unwritten(h5):
    del h5["layer/1/weight"]
    h5.create_dataset("layer/1/weight", (1 << 30, 2), "i2")


def elsewhere(h5):
    del h5["layer/1/weight"]
    h5.create_dataset("layer/1/weight", (2, 2), "i2", external=[("other.bin", 0, 8)])


def virtual(h5):
    del h5["layer/1/weight"]
    layout = h5py.VirtualLayout((2, 2), "i2")
    layout[:] = h5py.VirtualSource("other.h5", "x", (2, 2))
    h5.create_virtual_dataset("layer/1/weight", layout)


def link(place, value):
    def change(h5):
        del h5[place]
        h5[place] = value

    return change


def attribute(name, value):
    def change(h5):
        del h5.attrs[name]
        if value is not None:
            h5.attrs[name] = value

    return change


def pathless(h5):
    del h5["layer/1"].attrs["path"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            put("layer/1/weight", np.array([[2, 4], [6, 10]], np.int16)),
            "is damaged: the SHA-256 of its content is ",
        ),
        (
            put("layer/1/weight", np.array([[2, 4], [6, 8]], np.int16), compression="gzip"),
            "layer/1/weight: is compressed, in chunks or virtual, expected are plain numbers; "
            "rewrite it with: h5repack --filter=NONE --layout=CONTI",
        ),
        (unwritten, "layer/1/weight: promises 4294967296 bytes, but the file holds 0 for it"),
        (elsewhere, "layer/1/weight: lies in another file, expected is it in this one"),
        (virtual, "layer/1/weight: is compressed, in chunks or virtual, expected are plain"),
        (
            link("layer/1/weight", h5py.SoftLink("/layer/1/shape")),
            "layer/1/weight: is a link (SoftLink) to another place, expected is what it names",
        ),
        (
            link("layer/1/type", h5py.ExternalLink("/dev/zero", "/layer/1")),
            "layer/1/type: is a link (ExternalLink) to another place",
        ),
        (
            link("layer/1", h5py.ExternalLink("other.h5", "/layer/1")),
            "layer/1: is a link (ExternalLink) to another place",
        ),
        (
            attribute("sha256", None),
            "is damaged: its attribute 'sha256' is missing; export it again",
        ),
        (
            attribute("snn_version", np.bytes_(b"2")),
            "its attribute 'snn_version' is '2', expected is 1; it is damaged, or of a newer",
        ),
        (
            attribute("chip", np.bytes_(b"loihi9")),
            "its attribute 'chip' is 'loihi9', expected is loihi1 or loihi2; it is damaged",
        ),
        (
            attribute("producer", "of free length"),
            "attribute 'producer' is object of shape (), expected is a text of fixed length",
        ),
        (attribute("sha256", np.bytes_(b"0")), "is damaged: the SHA-256 of its content is "),
        (pathless, "layer/1: is damaged: the layer names its place in a network, and the file"),
        (
            put("notes", "of mine"),
            "notes: is not known here, expected is nothing but layer, simulation; take it out",
        ),
    ],
)
def test_files_of_this_package(ours, change, text):
    path = ours(change)
    with pytest.raises(ChipError, match="^" + re.escape(f"{path}: {text}")):
        read(path)


def test_a_small_file_does_not_become_large(tmp_path):
    """By naming one layer over and over."""
    path = tmp_path / "a.net"
    with h5py.File(path, "w") as h5:
        h5["layer/0/type"], h5["layer/0/shape"] = b"dense", [64]
        h5["layer/0/weight"] = np.zeros((64, 64), np.int16)
        neurons = {"type": b"CUBA", "iDecay": 0, "vDecay": 0, "vThMant": 1}
        for name, value in neurons.items():
            h5[f"layer/0/neuron/{name}"] = value
        for i in range(1, 100):
            h5[f"layer/{i}"] = h5["layer/0"]
    with pytest.raises(
        ChipError, match=r"a\.net: layer/\d/weight: promises 8192 bytes, but the file holds \d+ "
    ):
        read(path)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "is no HDF5 file, it begins with nothing: it is empty; expected is a .net file"),
        (b"net = 1\n", "is no HDF5 file, it begins with b'net = 1\\n'; expected is a .net file"),
        (b"\x89HDF\r\n\x1a\n", "cannot be read, the file is damaged (IndexError"),
        (
            b"\x89HDF\r\n\x1a\n" + bytes([9] * 60),
            "has an HDF5 header of version 9 with addresses of 9 bytes, expected is one of "
            "version 0 to 3; the file is damaged, or too new",
        ),
    ],
)
def test_other_files(tmp_path, data, text):
    path = tmp_path / "a.net"
    path.write_bytes(data)
    with pytest.raises(ChipError, match="^" + re.escape(f"{path}: {text}")):
        read(path)


def test_no_file(tmp_path):
    for path in (tmp_path / "none.net", tmp_path):
        with pytest.raises(ChipError, match=f"{path}: there is no such file; expected is a .net"):
            read(path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.net")
    with pytest.raises(ChipError, match="there is no such file"):
        read(tmp_path / "a.net")


def test_the_end_is_where_it_should_be(ours, tmp_path):
    data = ours().read_bytes()
    path = tmp_path / "a.net"
    for changed, text in (
        (data[:-9], f"is cut off: {len(data) - 9} bytes, expected are {len(data)}; copy or"),
        (data + b"junk", f"goes on behind its end: {len(data) + 4} bytes, expected are"),
    ):
        path.write_bytes(changed)
        with pytest.raises(ChipError, match=re.escape(text)):
            read(path)


@pytest.mark.parametrize("libver", ["v108", "v110", "latest"])
def test_files_of_newer_libraries(lay, tmp_path, libver):
    newer = tmp_path / "b.net"
    with h5py.File(lay()) as old, h5py.File(newer, "w", libver=(libver, "latest")) as h5:
        old.copy("layer", h5)
    assert len(read(newer).layers) == 4
    with newer.open("ab") as file:
        file.write(b"junk")
    with pytest.raises(ChipError, match="goes on behind its end"):
        read(newer)


def test_the_library_prints_nothing(ours, capfd, tmp_path):
    """Neither here nor in another thread, where it has to be told again."""
    path, failed = tmp_path / "a.net", []
    shutil.copy(ours(), path)
    with path.open("rb+") as file:
        file.seek(100)
        file.write(bytes(2000))

    def attempt():
        with pytest.raises(ChipError):
            read(path)
        failed.append(1)

    attempt()
    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert len(failed) == 2
    assert capfd.readouterr() == ("", "")
