"""From a graph that keeps Loihi's rules to its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from snn_lava.dynamics import Dynamics, Floats, dynamics
from snn_lava.program import ChipName, Conv, Dense, Flatten, Integers, Layer, Neurons, Program
from snn_lava.scaling import Scaled, scaled
from snn_lava.structure import Stage, is_flatten, stages
from snncore.graph import Graph, Table, ops
from snncore.graph.report import Cell

_COLUMNS = (
    "layer",
    "scale",
    "weights",
    "clipped",
    "became 0",
    "weight error",
    "threshold",
    "threshold error",
    "decay error",
)


@dataclass(frozen=True)
class Lowered:
    """A stage in the chip's numbers, and what that cost."""

    stage: Stage
    neurons: Dynamics
    numbers: Scaled


def lowered(stage: Stage) -> Lowered:
    """A layer's numbers.

    Args:
        stage: with a synapse.
    Raises: ChipError as :func:`snn_lava.dynamics.dynamics`.
    """
    assert stage.synapse is not None
    found = dynamics(stage.neuron)
    op = cast("ops.Linear | ops.Conv", stage.synapse.op)
    back = None if stage.feedback is None else cast("ops.Linear", stage.feedback.op).weight
    bias = None if op.bias is None else _floats(op.bias)
    if bias is not None and not bias.any():
        bias = None
    numbers = scaled(_floats(op.weight), None if back is None else _floats(back), bias, found)
    return Lowered(stage, found, numbers)


def lower(graph: Graph, chip: ChipName) -> Program:
    """The whole network.

    Args:
        graph: after the passes, without errors.
        chip: which chip it is for.
    """
    by_neuron = {stage.neuron.name: stage for stage in stages(graph)}
    layers: list[Layer] = []
    for node in graph:
        if is_flatten(graph, node) and len(graph.sources(node.name)[0].shape) > 1:
            layers.append(Flatten())
        elif node.name in by_neuron:
            layers.append(_layer(lowered(by_neuron[node.name])))
    return Program(chip, graph.inputs[0].shape, tuple(layers))


def _layer(found: Lowered) -> Layer:
    numbers = found.numbers
    current, voltage = found.neurons.integers
    neurons = Neurons(current, voltage, numbers.threshold, numbers.bias, found.neurons.graded)
    op = found.stage.synapse.op if found.stage.synapse else None
    if isinstance(op, ops.Conv):
        stride, padding, dilation = (
            (int(pair[0]), int(pair[1])) for pair in (op.stride, op.padding, op.dilation)
        )
        return Conv(found.stage.path, numbers.weight, neurons, stride, padding, dilation, op.groups)
    return Dense(
        found.stage.path, numbers.weight, neurons, numbers.recurrent, delay_of(found.stage)
    )


def table(graph: Graph) -> Table:
    """What became of the numbers of each layer.

    Args:
        graph: after the passes, without errors.
    """
    rows: list[tuple[Cell, ...]] = []
    for stage in stages(graph):
        found = lowered(stage)
        numbers = found.numbers
        real = np.abs(np.concatenate([d.ravel() for d in found.neurons.decay_errors()]))
        rows.append(
            (
                stage.path,
                numbers.scale,
                f"{numbers.weight.min()} to {numbers.weight.max()}",
                numbers.clipped,
                numbers.zeroed,
                numbers.weight_error,
                numbers.threshold,
                numbers.threshold_error,
                float(real.max()),
            )
        )
    return Table("Quantisation", _COLUMNS, tuple(rows))


def delay_of(stage: Stage) -> Integers | None:
    """Steps of each output, whole; None without delay."""
    total = np.zeros(stage.neuron.shape[0], np.int64)
    for node in stage.delays:
        op = cast("ops.Neuron", node.op)
        if "delay" in op.parameters:
            steps = torch.as_tensor(op.parameters["delay"])
        else:
            # What a learnt delay uses in evaluation, which the module is in.
            steps = cast("Any", op.module).kernels().argmax(-1)
        total += steps.long().broadcast_to(total.shape).numpy()
    return total if total.any() else None


def _floats(tensor: Tensor) -> Floats:
    return tensor.detach().double().cpu().numpy()
