"""Loihi's rules beyond its record: how layers stand together, and what their numbers become."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from snn_lava.dynamics import dynamics
from snn_lava.grid import BIASES, DECAY_ONE, DELAYS, THRESHOLDS, WEIGHT_UNIT
from snn_lava.lowering import Lowered, delay_of, lowered
from snn_lava.records import CONV_SIZE, LOIHI2
from snn_lava.scaling import stored_exactly
from snn_lava.structure import Stage, forward_users, is_delay, is_flatten, stages
from snncore.errors import ChipError
from snncore.graph import Finding, Graph, Node, ops
from snncore.graph.report import Severity

READOUT = 101
INPUT_NEURON = 102
RESHAPE = 103
CHAIN = 104
AXES = 105
UNEVEN = 106
CONV_DELAY = 107
DELAY_PLACE = 108
FILTERED_BIAS = 109
THRESHOLD = 110
BIAS_RANGE = 111
ZEROED = 112
GRADED = 113
STORAGE = 114
KERNEL = 115
NO_LEAK_BITS = 150
CLIPPED = 151
SMALL_WEIGHTS = 152
EARLY_BIAS = 153
COARSE_THRESHOLD = 154

_NETX = "netx of lava-dl 0.6"
# Shares from which a loss of precision is worth a warning.
_MANY_ZEROED = 0.5
_MANY_CLIPPED = 0.001
_COARSE = 0.02


def findings(graph: Graph, *, graded: bool) -> tuple[Finding, ...]:
    """Everything that a graph breaks, beside the chip's record.

    Args:
        graph: after the passes.
        graded: whether spikes may carry potentials: in simulation only.
    """
    layers = [stage for stage in stages(graph) if _known(stage)]
    return (
        *_structure(graph, layers),
        *(found for stage in layers for found in _neurons(stage, graded)),
        *(found for stage in layers for found in _numbers(stage)),
    )


def _known(stage: Stage) -> bool:
    """Whether the neuron is one of the chip's; others the record refuses."""
    return cast("ops.Neuron", stage.neuron.op).name in LOIHI2.neurons


def _refused(node: Node) -> bool:
    """Whether other findings name the node, so that what stands around it is no further fault."""
    if isinstance(node.op, ops.Neuron):
        return node.op.name not in LOIHI2.neurons
    if isinstance(node.op, (ops.Input, ops.Output)):
        return False
    return type(node.op).__name__ not in LOIHI2.ops or isinstance(node.op, ops.Add)


def _find(number: int, severity: Severity, node: Node, what: str, **more: Any) -> Finding:
    texts = {name: str(value) for name, value in more.items()}
    return Finding(
        code=f"LAVA{number:03d}",
        severity=severity,
        path=node.path or node.name,
        op=node.op.kind,
        what=what,
        **texts,
    )


def _structure(graph: Graph, layers: list[Stage]) -> Iterator[Finding]:
    fed = {s.synapse.name for s in layers if s.synapse} | {
        s.feedback.name for s in layers if s.feedback
    }
    back = {graph.sources(s.feedback.name)[0].name for s in layers if s.feedback}
    yield from _branches(graph, fed, back)
    for node in graph:
        alone = isinstance(node.op, (ops.Linear, ops.Conv)) and node.name not in fed
        if alone and not all(map(_refused, graph.users[node.name])):
            yield _find(
                READOUT,
                "error",
                node,
                "no neurons follow it",
                why=f"{_NETX} makes up default neurons for a layer without",
                fix="put neurons behind it; read their spikes or, for a readout, their count",
            )
        if isinstance(node.op, ops.Conv) and len(node.op.stride) != 2:
            yield _find(
                AXES,
                "error",
                node,
                "it is no convolution over two axes",
                value=len(node.op.stride),
                allowed=2,
                fix="give the input a height or width of 1 and take a Conv2d",
            )
        if isinstance(node.op, ops.Linear) and len(graph.sources(node.name)[0].shape) > 1:
            yield _find(
                RESHAPE,
                "error",
                node,
                "it works along one axis of several",
                why=f"{_NETX}: dense layers take a vector",
                fix="flatten its input first",
            )
        if isinstance(node.op, ops.Reshape) and not is_flatten(graph, node):
            yield _find(
                RESHAPE,
                "error",
                node,
                "it is no flatten",
                value="x".join(map(str, node.shape)),
                why=f"{_NETX} has no other change of shape",
                fix="flatten once, between convolutions and linear layers",
            )
    used = {node.name for stage in layers for node in stage.delays}
    for node in graph:
        if is_delay(node) and node.name not in used:
            yield _find(
                DELAY_PLACE,
                "error",
                node,
                "it delays no layer's output",
                why=f"{_NETX} has delays in dense layers only",
                fix="put it right before or behind the neurons of a linear layer",
            )
    for stage in layers:
        if stage.synapse is None and not _refused(graph.sources(stage.neuron.name)[0]):
            yield _find(
                INPUT_NEURON,
                "error",
                stage.neuron,
                "no linear layer or convolution comes before it",
                why=f"{_NETX} does not wire neurons to an input",
                fix="put weights before it, or run it on the host as an encoder",
            )


def _branches(graph: Graph, fed: set[str], back: set[str]) -> Iterator[Finding]:
    chain = "make the network a chain of layers"
    for node in graph:
        if isinstance(node.op, ops.Previous) and node.name not in back:
            text = "only a layer's own spikes may feed back to it, through one linear layer"
            fix = "take snncore.layers.Recurrent around the neurons"
            yield _find(CHAIN, "error", node, text, why=_NETX, fix=fix)
        sums = isinstance(node.op, ops.Add)
        loop = sums and any(
            s.name in fed and _of(graph, s) in back for s in graph.sources(node.name)
        )
        joins = len(node.inputs) > 1 and not sums and not _refused(node)
        if (sums and not loop) or joins:
            text = "it joins branches"
            yield _find(CHAIN, "error", node, text, why=f"{_NETX} runs chains only", fix=chain)
        if len(forward_users(graph, node)) > 1:
            text = "several layers take its output"
            yield _find(CHAIN, "error", node, text, why=f"{_NETX} runs chains only", fix=chain)
    for nodes in (graph.inputs, graph.outputs):
        for node in nodes[1:]:
            text = "the network has several inputs or outputs"
            yield _find(CHAIN, "error", node, text, why=f"{_NETX} runs chains only", fix=chain)


def _of(graph: Graph, node: Node) -> str:
    return graph.sources(node.name)[0].name


def _neurons(stage: Stage, graded: bool) -> Iterator[Finding]:
    node = stage.neuron
    try:
        neurons = dynamics(node)
    except ChipError as error:
        yield _find(
            UNEVEN,
            "error",
            node,
            str(error),
            why="the chip has decays per channel and one threshold per layer",
            fix="give one number per channel, of the threshold one per layer",
        )
        return
    if neurons.graded:
        yield _find(
            GRADED,
            "warn" if graded else "error",
            node,
            "graded spikes do not reach Lava, whose files make them binary, silently",
            why=_NETX,
            fix="simulate alone"
            if graded
            else "train with binary spikes, or simulate alone with loihi2, graded=true",
        )
    for delay in stage.delays:
        if stage.synapse is not None and isinstance(stage.synapse.op, ops.Conv):
            yield _find(
                CONV_DELAY,
                "error",
                delay,
                "delays of convolutions are ignored, silently",
                why=_NETX,
                fix="delay a linear layer, or nothing",
            )
        elif stage.feedback is not None:
            yield _find(
                DELAY_PLACE,
                "error",
                delay,
                "a layer that feeds back to itself has no delay",
                why=_NETX,
                fix="delay another layer",
            )
    total = delay_of(stage)
    if total is not None and total.max() > DELAYS.high and len(stage.delays) > 1:
        yield _find(
            DELAY_PLACE,
            "error",
            node,
            "the delays of its layer add up to too many steps",
            value=int(total.max()),
            allowed=DELAYS,
            why=f"{_NETX}: 6 bits",
            fix="delay less",
        )
    op = None if stage.synapse is None else stage.synapse.op
    if neurons.filters and op is not None and getattr(op, "bias", None) is not None:
        bias = cast("Any", op).bias
        if bias.any():
            yield _find(
                FILTERED_BIAS,
                "error",
                cast("Node", stage.synapse),
                "its bias would pass a current that outlasts the step",
                why="the chip adds biases to the potential",
                fix="train with bias=False, or with lif or if",
            )
    current, voltage = neurons.integers
    for name, integers, value in (
        ("current_decay", current, 0),
        ("voltage_decay", voltage, DECAY_ONE),
    ):
        if (integers == value).any():
            yield _find(
                NO_LEAK_BITS,
                "warn",
                node,
                f"a {name} of {value} runs in Lava's simulation, but does not fit in 12 bits",
                why="register of the chip",
                fix=f"on silicon take {1 if value == 0 else DECAY_ONE - 1} of 4096",
            )


def _numbers(stage: Stage) -> Iterator[Finding]:
    if stage.synapse is None or not _scalable(stage):
        return
    found = lowered(stage)
    numbers, node = found.numbers, stage.synapse
    if not THRESHOLDS.low <= numbers.threshold <= THRESHOLDS.high:
        yield _find(
            THRESHOLD,
            "error",
            stage.neuron,
            "no scale of the layer puts its threshold into 17 bits",
            value=f"{numbers.threshold} of 1/64",
            allowed=THRESHOLDS,
            why="register of the chip; beyond it the neuron never fires",
            fix="train with a threshold nearer to the size of the weights",
        )
    if numbers.bias is not None:
        yield from _bias(found, node)
    if not numbers.weight.any():
        yield _find(
            ZEROED,
            "error",
            node,
            "all its weights become 0 on the grid",
            why=f"{_NETX} fails on a layer without weights; the grid has steps of 1/32",
            fix="train with larger weights, or a threshold nearer to their size",
        )
        return
    matrices = (numbers.weight, numbers.recurrent)
    if numbers.weight.ndim == 2 and not stored_exactly(*matrices):
        yield _find(
            STORAGE,
            "error",
            node,
            "its matrix has no positive weight, and the least is minus a power of two: Lava stores "
            "that weight too small, silently",
            value=f"{min(m.min() for m in matrices if m is not None)} of 1/64",
            why=f"{_NETX}, measured",
            fix="change that weight by 1/32, or make one weight positive",
        )
    if max(numbers.weight.shape[2:], default=0) > CONV_SIZE:
        yield _find(
            KERNEL,
            "error",
            node,
            "its kernel is too large",
            value="x".join(map(str, numbers.weight.shape[2:])),
            allowed=f"at most {CONV_SIZE}",
            why=f"{_NETX} holds sizes in 7 bits, and does not end with larger ones",
            fix="take a smaller kernel, or several layers",
        )
    if numbers.clipped > _MANY_CLIPPED:
        yield _find(
            CLIPPED,
            "warn",
            node,
            "weights are clipped",
            value=f"{numbers.clipped:.2%}",
            fix="keep weights within -4 to 254/64",
        )
    if numbers.zeroed > _MANY_ZEROED:
        yield _find(
            SMALL_WEIGHTS,
            "warn",
            node,
            "most of its weights become 0",
            value=f"{numbers.zeroed:.0%}",
            fix="train on the grid (snn-lava's layers), or with weights of more even size",
        )
    if abs(numbers.threshold_error) > _COARSE:
        yield _find(
            COARSE_THRESHOLD,
            "warn",
            stage.neuron,
            "its threshold is coarse on the grid",
            value=f"{numbers.threshold_error:+.1%}",
            fix="train with a threshold larger than the weights",
        )


def _bias(found: Lowered, node: Node) -> Iterator[Finding]:
    bias = cast("Any", found.numbers.bias)
    if bias.min() < BIASES.low or bias.max() > BIASES.high:
        yield _find(
            BIAS_RANGE,
            "error",
            node,
            "its bias leaves 13 bits",
            value=f"{np.abs(bias).max() / WEIGHT_UNIT:.4g}",
            allowed=f"{BIASES.low / WEIGHT_UNIT:g} to {BIASES.high / WEIGHT_UNIT:g}",
            why="register of the chip",
            fix="train with smaller biases",
        )
    yield _find(
        EARLY_BIAS,
        "warn",
        node,
        "its bias acts before the first input comes: layer n waits n steps for it",
        why=f"{_NETX}: one step per layer",
        fix="compare behaviour, not single spikes",
    )


def _scalable(stage: Stage) -> bool:
    """Whether its numbers are there and finite; if not, the record's checks say so."""
    try:
        dynamics(stage.neuron)
    except ChipError:
        return False
    parts = [node for node in (stage.synapse, stage.feedback) if node is not None]
    tensors = [tensor for node in parts for tensor in node.op.tensors.values()]
    weight = cast("Any", parts[0].op).weight
    return bool(weight.any()) and all(bool(tensor.isfinite().all()) for tensor in tensors)
