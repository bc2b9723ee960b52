"""A network in Loihi's numbers: what is written to files and simulated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]
Weights: TypeAlias = NDArray[np.int16]
Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Neurons:
    """A layer's neurons.

    Args:
        current_decay, voltage_decay: iDecay and vDecay, ``()`` or one per channel ``[C]``.
        threshold: vThMant; a neuron fires above 64 times it.
        bias: one per channel ``[C]``, added 64 times to the potential in each step; or None.
        graded: whether the spike carries the potential instead of 1 (Loihi 2, simulation only).
    """

    current_decay: Integers
    voltage_decay: Integers
    threshold: int
    bias: Integers | None = None
    graded: bool = False


@dataclass(frozen=True, eq=False)
class Dense:
    """Neurons behind a matrix of weights.

    Args:
        path: of its neurons in the user's network.
        weight: ``[out, in]``, in 1/64.
        neurons: what it feeds.
        recurrent: weights ``[out, out]`` from the layer's spikes of the step before; or None.
        delay: steps ``[out]`` by which each output comes later; or None.
    """

    path: str
    weight: Weights
    neurons: Neurons
    recurrent: Weights | None = None
    delay: Integers | None = None


@dataclass(frozen=True, eq=False)
class Conv:
    """Neurons behind a convolution, zeros around its input.

    Args:
        path: of its neurons in the user's network.
        weight: ``[out, in / groups, height, width]``, in 1/64.
        neurons: what it feeds.
        stride, padding, dilation: height and width.
        groups: blocks of channels that do not mix.
    """

    path: str
    weight: Weights
    neurons: Neurons
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1


@dataclass(frozen=True)
class Flatten:
    """Channels, height and width become one axis, in this order."""


Layer: TypeAlias = Dense | Conv | Flatten
ChipName: TypeAlias = Literal["loihi1", "loihi2"]


@dataclass(frozen=True, eq=False)
class Program:
    """A chain of layers.

    Args:
        chip: which chip it is for.
        input_shape: ``(N,)`` or ``(C, H, W)``.
        layers: in order; each has neurons but :class:`Flatten`.
    """

    chip: ChipName
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]

    @property
    def latency(self) -> int:
        """Steps from an input to the output that it causes: one per layer of neurons."""
        return sum(not isinstance(layer, Flatten) for layer in self.layers)

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Output of each layer, without batch and time."""
        found: list[tuple[int, ...]] = []
        given = self.input_shape
        for layer in self.layers:
            given = _shape(layer, given)
            found.append(given)
        return tuple(found)

    def content(self) -> Mapping[str, Any]:
        """All that decides what it computes, by name."""
        found: dict[str, Any] = {"chip": self.chip, "input_shape": self.input_shape}
        for i, layer in enumerate(self.layers):
            found[f"{i}"] = type(layer).__name__
            for name, value in _named(layer):
                found[f"{i}.{name}"] = value
        return found


def _named(part: Any) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, Neurons):
            rows += [(f"neurons.{name}", inner) for name, inner in _named(value)]
        else:
            rows.append((field.name, value))
    return rows


def _shape(layer: Layer, given: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(layer, Flatten):
        return (int(np.prod(given)),)
    if isinstance(layer, Dense):
        return (len(layer.weight),)
    sizes = [
        (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
        for size, kernel, stride, pad, dilation in zip(
            given[1:],
            layer.weight.shape[2:],
            layer.stride,
            layer.padding,
            layer.dilation,
            strict=True,
        )
    ]
    return (len(layer.weight), *sizes)
