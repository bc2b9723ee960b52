"""Writes a network as a ``.net`` file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from snn_lava.netfile.layout import FORMAT, GRADED, NEURON_TYPES, VERSION
from snn_lava.netfile.reading import read
from snn_lava.program import Conv, Dense, Flatten, Layer, Neurons, Program
from snncore.chip import digest
from snncore.errors import ChipError


def write(program: Program, path: Path) -> None:
    """Writes a program to a path at which nothing stands, and reads it back.

    Lava's netx reads the file, and so does :func:`read`. Weights are int16, all other numbers
    int64; what netx has no field for stands in attributes. Two files of one program are equal.

    Raises: ChipError for graded spikes, and for a program that no file can hold.
    Example:
        >>> import tempfile
        >>> from snn_lava.netfile import read
        >>> neurons = Neurons(np.array(1024), np.array(123), threshold=80)
        >>> layer = Dense("net.0", np.array([[30, -46]], dtype=np.int16), neurons)
        >>> path = Path(tempfile.mkdtemp(), "two_inputs.net")
        >>> write(Program("loihi2", (2,), (layer,)), path)
        >>> read(path).layers[0].weight.tolist()
        [[30, -46]]
    """
    for layer in program.layers:
        if not isinstance(layer, Flatten) and layer.neurons.graded:
            raise ChipError(f"{layer.path}: {GRADED}")
    with h5py.File(path, "w", libver="earliest") as h5:
        _attributes(
            h5,
            {
                "snn_format": FORMAT,
                "snn_version": VERSION,
                "producer": f"snn-lava {version('snn-lava')}",
                "chip": program.chip,
                "sha256": digest(program.content()),
            },
        )
        _layer(h5, 0, "input", program.input_shape, {})
        given = program.input_shape
        for i, (layer, shape) in enumerate(zip(program.layers, program.shapes(), strict=True), 1):
            # slayer keeps three axes behind Flatten.
            stated = (*shape, 1, 1) if isinstance(layer, Flatten) else shape
            group = _layer(h5, i, _type(layer), stated, _datasets(layer, given))
            if not isinstance(layer, Flatten):
                _attributes(group, {"path": layer.path})
            given = shape
    read(path)


def _attributes(group: Any, values: Mapping[str, str]) -> None:
    for name, text in values.items():
        group.attrs.create(name, np.bytes_(text.encode()))


def _layer(
    h5: h5py.File, i: int, kind: str, shape: tuple[int, ...], datasets: Mapping[str, Any]
) -> h5py.Group:
    group = h5.create_group(f"layer/{i}")
    group.create_dataset("type", data=np.array([kind.encode()], dtype="S10"))
    for name, value in {"shape": np.array(shape, np.int64), **datasets}.items():
        group.create_dataset(name, data=value)
    return group


def _type(layer: Layer) -> str:
    if isinstance(layer, Dense):
        return "dense" if layer.recurrent is None else "dense_rec"
    return type(layer).__name__.lower()


def _datasets(layer: Layer, given: tuple[int, ...]) -> dict[str, Any]:
    if isinstance(layer, Flatten):
        return {}
    out = np.int64(len(layer.weight))
    found: dict[str, Any] = {"weight": layer.weight}
    if isinstance(layer, Dense):
        found |= {"inFeatures": np.int64(given[0]), "outFeatures": out}
        found |= {"weight_rec": layer.recurrent, "delay": layer.delay}
    else:
        found |= _convolution(layer, given[0], out)
    found |= {"bias": layer.neurons.bias, **_neurons(layer.neurons)}
    return {name: value for name, value in found.items() if value is not None}


def _convolution(layer: Conv, channels: int, out: np.int64) -> dict[str, Any]:
    pairs = {
        "kernelSize": layer.weight.shape[2:],
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
    }
    return {
        "inChannels": np.int64(channels),
        "outChannels": out,
        "groups": np.int64(layer.groups),
        **{name: np.array(pair, np.int64) for name, pair in pairs.items()},
    }


def _neurons(neurons: Neurons) -> dict[str, Any]:
    return {
        "neuron/type": np.bytes_(NEURON_TYPES[0].encode()),
        "neuron/iDecay": neurons.current_decay,
        "neuron/vDecay": neurons.voltage_decay,
        "neuron/vThMant": np.int64(neurons.threshold),
        "neuron/refDelay": np.int64(1),
        "neuron/gradedSpike": np.bool_(False),
    }
