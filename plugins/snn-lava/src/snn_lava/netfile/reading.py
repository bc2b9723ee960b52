"""Reads a ``.net`` file, of this package or of slayer, and refuses what is not to be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias, cast, get_args

import numpy as np

from snn_lava.netfile.layout import (
    FORMAT,
    LAYERS,
    NEURON,
    NEURON_TYPES,
    SHAPE,
    SIZES,
    UNKNOWN_NAMES,
    UNKNOWN_NEURONS,
    UNKNOWN_TYPES,
    VERSION,
    Axis,
    Table,
)
from snn_lava.netfile.stored import Folder, opened
from snn_lava.program import ChipName, Conv, Dense, Flatten, Integers, Layer, Neurons, Program
from snncore.chip import digest

Shape: TypeAlias = tuple[int, ...]
Values: TypeAlias = dict[str, Integers]
_Sizes: TypeAlias = dict[Axis, int]

_ATTRIBUTES = ("snn_format", "snn_version", "producer", "chip", "sha256")


def read(path: Path, input_shape: Shape | None = None, *, chip: ChipName = "loihi2") -> Program:
    """Reads a program.

    Args:
        path: of the file.
        input_shape: ``(N,)`` or ``(C, H, W)``, for a file of slayer that begins with a
            convolution; others say it themselves.
        chip: for a file that names none, as slayer's.

    Raises: ChipError naming file, layer and dataset, what was found and what was expected, for
        whatever Lava does not run as it stands there, and for damaged files.
    """
    with opened(path) as root:
        root.check_names(root.names(), ("layer", "simulation"), {})
        written = _attributes(root)
        program = _program(root.folder("layer"), input_shape, written, chip)
        found = digest(program.content())
        if written and found != written["sha256"]:
            raise root.fault(
                f"is damaged: the SHA-256 of its content is {found}, expected is "
                f"{written['sha256']}; export the network again"
            )
    return program


def _attributes(root: Folder) -> dict[str, str]:
    """What this package wrote beside the layers; nothing for a file of slayer."""
    values = {name: root.attribute(name) for name in _ATTRIBUTES}
    found = {name: text for name, text in values.items() if text is not None}
    if not found:
        return {}
    for name in _ATTRIBUTES:
        if name not in found:
            raise root.fault(f"is damaged: its attribute {name!r} is missing; export it again")
    for name, known in {
        "snn_format": (FORMAT,),
        "snn_version": (VERSION,),
        "chip": get_args(ChipName),
    }.items():
        if found[name] not in known:
            raise root.fault(
                f"its attribute {name!r} is {found[name]!r}, expected is {' or '.join(known)}; it "
                "is damaged, or of a newer snn-lava"
            )
    return found


def _program(
    layers: Folder, asked: Shape | None, written: Mapping[str, str], chip: ChipName
) -> Program:
    names = layers.names()
    if not names or set(names) != {str(i) for i in range(len(names))}:
        raise layers.fault(
            f"holds {', '.join(sorted(names)) or 'nothing'}, expected are layers 0, 1, 2, ... "
            "without a gap"
        )
    begins = layers.folder("0").text("type") == "input"
    shape = given = _input_shape(layers.folder("0"), asked) if begins else asked
    found: list[Layer] = []
    for i in range(begins, len(names)):
        layer, given = _layer(layers.folder(f"{i}"), f"layer.{i}", given, bool(written))
        if shape is None:
            # Only a matrix tells how many inputs it takes.
            shape = (cast(Dense, layer).weight.shape[1],)
        found.append(layer)
    if not found or shape is None:
        raise layers.fault("holds nothing behind its input, expected are layers with neurons")
    return Program(cast(ChipName, written.get("chip", chip)), shape, tuple(found))


def _input_shape(layer: Folder, asked: Shape | None) -> Shape:
    layer.check_names(layer.names(), ("type", "shape"), UNKNOWN_NAMES)
    shape = _integers(layer.numbers("shape", SHAPE))
    if len(shape) not in (1, 3):
        raise layer.fault(f"is {shape}, expected is (N,) or (C, H, W)", "shape")
    if asked not in (None, shape):
        raise layer.fault(f"is {shape}, but input_shape={asked} was given; leave it out", "shape")
    return _possible(layer, shape)


def _layer(folder: Folder, path: str, given: Shape | None, ours: bool) -> tuple[Layer, Shape]:
    kind = folder.text("type")
    if kind not in LAYERS or kind == "input":
        known = ", ".join(name for name in LAYERS if name != "input")
        first = "an input layer is the first" if kind == "input" else "Lava runs no other"
        raise folder.fault(
            f"is {kind!r}, expected is one of {known}; {UNKNOWN_TYPES.get(kind, first)}", "type"
        )
    if given is None and kind in ("conv", "flatten"):
        raise folder.fault(
            f"the file does not say what shape the input of its first layer, {kind}, has; pass "
            "input_shape=(C, H, W)"
        )
    path = _path(folder, path, kind, ours)
    others = ("type", "shape") if kind == "flatten" else ("type", "shape", "neuron")
    values = _values(folder, LAYERS[kind], others)
    if kind == "flatten":
        layer: Layer = Flatten()
        given = _three(folder, given)
    elif kind == "conv":
        layer = _conv(folder, path, values, _three(folder, given))
    else:
        layer = _dense(folder, path, values, given)
        given = (layer.weight.shape[1],)
    return layer, _output(folder, layer, given or ())


def _path(folder: Folder, path: str, kind: str, ours: bool) -> str:
    found = folder.attribute("path")
    if (found is not None) != (ours and kind != "flatten"):
        raise folder.fault(
            "is damaged: the layer names its place in a network, and the file has no SHA-256, or "
            "the other way round; export it again"
        )
    return path if found is None else found


def _three(folder: Folder, given: Shape | None) -> Shape:
    if given is None or len(given) != 3:
        raise folder.fault(f"takes (C, H, W), but the layer before gives {given}")
    return given


def _dense(folder: Folder, path: str, values: Values, given: Shape | None) -> Dense:
    if given is not None and len(given) != 1:
        raise folder.fault(
            f"takes (N,), but the layer before gives {given}; a flatten layer is missing between"
        )
    sizes: _Sizes = {} if given is None else {"in": given[0]}
    recurrent = values.get("weight_rec")
    table = LAYERS["dense" if recurrent is None else "dense_rec"]
    neurons = _neurons(folder, values, table, sizes)
    return Dense(
        path,
        values["weight"].astype(np.int16),
        neurons,
        None if recurrent is None else recurrent.astype(np.int16),
        values.get("delay"),
    )


def _conv(folder: Folder, path: str, values: Values, given: Shape) -> Conv:
    groups, out = int(values["groups"]), len(values["weight"])
    if given[0] % groups or out % groups:
        raise folder.fault(
            f"is {groups}, expected is a divisor of {given[0]} and {out}, the channels before and "
            "behind",
            "groups",
        )
    sizes: _Sizes = {"in": given[0], "in / groups": given[0] // groups}
    neurons = _neurons(folder, values, LAYERS["conv"], sizes)
    stride, padding, dilation = (
        (int(values[name][0]), int(values[name][1])) for name in ("stride", "padding", "dilation")
    )
    weight = values["weight"].astype(np.int16)
    return Conv(path, weight, neurons, stride, padding, dilation, groups)


def _neurons(folder: Folder, values: Values, table: Table, sizes: _Sizes) -> Neurons:
    _check_sizes(folder, values, table, sizes)
    inner = folder.folder("neuron")
    kind = inner.text("type")
    if kind not in NEURON_TYPES:
        raise inner.fault(f"is {kind!r}, expected is {NEURON_TYPES[0]}; {UNKNOWN_NEURONS}", "type")
    found = _values(inner, NEURON, ("type",))
    _check_sizes(inner, found, NEURON, sizes)
    return Neurons(found["iDecay"], found["vDecay"], int(found["vThMant"]), values.get("bias"))


def _values(folder: Folder, table: Table, others: tuple[str, ...]) -> Values:
    names = folder.names()
    folder.check_names(names, (*others, *table), UNKNOWN_NAMES)
    return {
        name: folder.numbers(name, expected)
        for name, expected in table.items()
        if expected.required or name in names
    }


def _check_sizes(folder: Folder, values: Values, table: Table, sizes: _Sizes) -> None:
    """Holds every axis against the size of its name, which the first to have it decides."""
    for name, value in values.items():
        expected = table[name]
        if value.shape or not expected.single:
            _agree(folder, name, "has the shape", value.shape, expected.axes, sizes)
        if expected.states:
            _agree(folder, name, "says", _integers(value), expected.states, sizes)


def _agree(
    folder: Folder, name: str, what: str, found: Shape, axes: tuple[Axis, ...], sizes: _Sizes
) -> None:
    wanted = tuple(
        axis if isinstance(axis, int) else sizes.setdefault(axis, size)
        for axis, size in zip(axes, found, strict=True)
    )
    if found != wanted:
        named = "" if axes == wanted else f" ({', '.join(map(str, axes))})"
        raise folder.fault(f"{what} {found}, expected is {wanted}{named}", name)


def _output(folder: Folder, layer: Layer, given: Shape) -> Shape:
    shape = Program("loihi2", given, (layer,)).shapes()[0]
    stated = _integers(folder.numbers("shape", SHAPE))
    expected = (*shape, 1, 1) if isinstance(layer, Flatten) else shape
    if stated != expected:
        raise folder.fault(f"is {stated}, but its layer makes {expected} of {given}", "shape")
    return _possible(folder, shape)


def _possible(folder: Folder, shape: Shape) -> Shape:
    if math.prod(shape) > SIZES.high:
        raise folder.fault(f"{shape} are more than {SIZES.high} neurons", "shape")
    return shape


def _integers(values: Integers) -> Shape:
    return tuple(int(value) for value in values.reshape(-1))
