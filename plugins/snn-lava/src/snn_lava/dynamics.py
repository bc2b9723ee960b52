"""What the neurons of a network are in Loihi's terms: two decays and a threshold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray

from snn_lava.grid import DECAY_ONE, decay_integer
from snn_lava.program import Integers
from snncore.errors import ChipError
from snncore.graph import Node
from snncore.graph.ops import Neuron

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Dynamics:
    """A layer's neurons before their numbers are scaled.

    Args:
        current_decay, voltage_decay: parts lost per step, ``()`` or one per channel ``[C]``.
        threshold: in units of the network.
        strict: whether the network fires above the threshold only; else at it as well.
        on_grid: whether the network's units are the chip's already.
        graded: whether spikes carry the potential.
    """

    current_decay: Floats
    voltage_decay: Floats
    threshold: float
    strict: bool = False
    on_grid: bool = False
    graded: bool = False

    @property
    def integers(self) -> tuple[Integers, Integers]:
        """iDecay and vDecay."""
        return (
            decay_integer(torch.from_numpy(self.current_decay)).numpy().astype(np.int64),
            decay_integer(torch.from_numpy(self.voltage_decay)).numpy().astype(np.int64),
        )

    def decay_errors(self) -> tuple[Floats, Floats]:
        """Differences of the decays on the grid, in parts lost per step."""
        current, voltage = self.integers
        return current / DECAY_ONE - self.current_decay, voltage / DECAY_ONE - self.voltage_decay

    @property
    def filters(self) -> bool:
        """Whether the current outlasts a step."""
        return bool((self.integers[0] < DECAY_ONE).any())


def dynamics(node: Node) -> Dynamics:
    """Those of a node of neurons.

    Raises: ChipError for a parameter that differs within what must be one number: a channel, or
        for the threshold the layer.
    """
    op = cast("Neuron", node.op)
    return _MAKERS[op.name](op.parameters, node.shape)


def _numbers(name: str, value: Any, shape: tuple[int, ...]) -> Floats:
    """A parameter as one number, or one per channel."""
    tensor = torch.as_tensor(value).detach().double()
    if tensor.numel() == 1:
        return tensor.reshape(()).numpy()
    whole = tensor.broadcast_to(shape).reshape(shape[0], -1)
    if not (whole == whole[:, :1]).all():
        raise ChipError(f"{name} differs between places of one channel")
    return whole[:, 0].numpy()


def _threshold(parameters: Mapping[str, Any]) -> float:
    tensor = torch.as_tensor(parameters["v_threshold"]).detach().double().flatten()
    if not (tensor == tensor[0]).all():
        raise ChipError("v_threshold differs within the layer")
    return float(tensor[0])


def _integrate(parameters: Mapping[str, Any], shape: tuple[int, ...]) -> Dynamics:
    return Dynamics(np.ones(()), np.zeros(()), _threshold(parameters))


def _leaky(name: str) -> Callable[[Mapping[str, Any], tuple[int, ...]], Dynamics]:
    def make(parameters: Mapping[str, Any], shape: tuple[int, ...]) -> Dynamics:
        leak = 1.0 / _numbers(name, parameters[name], shape)
        return Dynamics(np.ones(()), np.asarray(leak), _threshold(parameters))

    return make


def _cuba(parameters: Mapping[str, Any], shape: tuple[int, ...]) -> Dynamics:
    kept = [_numbers(name, parameters[name], shape) for name in ("c_decay", "v_decay")]
    current, voltage = (np.asarray(1.0 - factor) for factor in kept)
    return Dynamics(current, voltage, _threshold(parameters))


def _loihi(
    parameters: Mapping[str, Any], shape: tuple[int, ...], *, graded: bool = False
) -> Dynamics:
    return Dynamics(
        _numbers("current_decay", parameters["current_decay"], shape),
        _numbers("voltage_decay", parameters["voltage_decay"], shape),
        _threshold(parameters),
        strict=True,
        on_grid=True,
        graded=graded,
    )


_MAKERS: Mapping[str, Callable[[Mapping[str, Any], tuple[int, ...]], Dynamics]] = {
    "snn-neurons/if": _integrate,
    "snn-neurons/lif": _leaky("tau"),
    "snn-neurons/plif": _leaky("init_tau"),
    "snn-neurons/cuba_lif": _cuba,
    "snn-lava/loihi_cuba": _loihi,
    "snn-lava/loihi_graded": partial(_loihi, graded=True),
}
