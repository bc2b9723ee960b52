"""What is done to a network before Loihi's rules are checked: nothing of it changes a spike."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn_lava.structure import is_flatten, stages
from snncore.graph import Graph, Node, Note
from snncore.graph.ops import Conv, Linear, Neuron, Pool, Reshape

# The time constant of leaky neurons whose input may leak too.
_TAUS = {"snn-neurons/lif": "tau", "snn-neurons/plif": "init_tau"}


def fold_decay_input(graph: Graph) -> tuple[Graph, tuple[Note, ...]]:
    """Divides the weights and biases before a leaky neuron by tau, where its input decays.

    ``H = V + (X - V) / tau`` is ``V - V / tau + X'`` with ``X' = X / tau``.
    """
    changed: dict[str, Node] = {}
    notes: list[Note] = []
    for stage in stages(graph):
        op = cast("Neuron", stage.neuron.op)
        if op.name not in _TAUS or not op.parameters["decay_input"] or stage.synapse is None:
            continue
        rows = 1.0 / torch.as_tensor(op.parameters[_TAUS[op.name]]).detach().double()
        if rows.numel() not in (1, _channels(stage.synapse)):
            continue
        for node in (stage.synapse, stage.feedback):
            if node is not None:
                changed[node.name] = replace(node, op=_times(node.op, rows))
        changed[stage.neuron.name] = replace(stage.neuron, op=_undecayed(op))
        notes.append(
            Note(
                "fold_decay_input",
                stage.neuron.path,
                f"1 / tau is multiplied into {stage.synapse.path or stage.synapse.name}",
            )
        )
    return graph.change(lambda node: changed.get(node.name, node)), tuple(notes)


def _channels(synapse: Node) -> int:
    return cast("Linear | Conv", synapse.op).weight.shape[0]


def _times(op: Any, rows: Tensor) -> Any:
    weight = op.weight.detach().double()
    weight = weight * rows.reshape(-1, *[1] * (weight.dim() - 1))
    bias = None if op.bias is None else op.bias.detach().double() * rows.reshape(-1)
    return _with(op, weight, bias)


def _with(op: Linear | Conv, weight: Tensor, bias: Tensor | None, **more: Any) -> Any:
    made = nn.Parameter(weight.to(op.weight.dtype), False)
    kept = None if bias is None else nn.Parameter(bias.to(op.weight.dtype), False)
    return replace(op, weight=made, bias=kept, **more)


def _undecayed(op: Neuron) -> Neuron:
    module = cast("Any", copy.deepcopy(op.module))
    module.decay_input = False
    return replace(op, module=module, parameters={**op.parameters, "decay_input": False})


def fold_mean_pool(graph: Graph) -> tuple[Graph, tuple[Note, ...]]:
    """Composes average and sum pools with the synapse before or behind them, exactly.

    A pool right after a convolution becomes part of it: its kernel is spread over the windows, its
    stride multiplied. One in front of a convolution or of flatten and a linear layer becomes part
    of these. A pool stays, and a note says why, where windows reach over the edge, or where what
    it feeds is padded and windows overlap or leave a rest.
    """
    notes: list[Note] = []
    for name in [node.name for node in graph if isinstance(node.op, Pool)]:
        pool = graph[name]
        if cast("Pool", pool.op).how == "max":
            continue
        changed, text = _composed(graph, pool)
        notes.append(Note("fold_mean_pool", pool.path, text))
        if changed:
            graph = graph.change(lambda node, new=changed: new.get(node.name, node))
    return graph, tuple(notes)


def _composed(graph: Graph, pool: Node) -> tuple[dict[str, Node | None], str]:
    """What stands for which nodes, and a sentence."""
    op = cast("Pool", pool.op)
    if len(op.kernel) != 2 or op.ceil or any(op.padding):
        return {}, "it stays: only pools over two axes without padding and ceil are folded"
    (source,), users = graph.sources(pool.name), graph.users[pool.name]
    alone = len(graph.users[source.name]) == 1
    if isinstance(source.op, Conv) and not source.op.transposed and alone:
        before = replace(source, op=_behind(source.op, op), shape=pool.shape)
        return {source.name: before, pool.name: None}, f"folded into {source.path or source.name}"
    if len(users) != 1:
        return {}, "it stays: several layers take its output"
    (user,) = users
    if isinstance(user.op, Conv) and not user.op.transposed:
        if any(user.op.padding) and not _exact_at_the_edge(op, source.shape, pool.shape):
            return {}, "it stays: its windows overlap or leave a rest, and the next layer is padded"
        after = replace(user, op=_in_front(op, user.op))
        return {user.name: after, pool.name: None}, f"folded into {user.path or user.name}"
    (last,) = graph.users[user.name] if len(graph.users[user.name]) == 1 else (user,)
    if is_flatten(graph, user) and isinstance(last.op, Linear):
        size = torch.Size(source.shape).numel()
        flat = replace(user, op=Reshape((size,)), shape=(size,))
        spread = replace(last, op=_spread(op, last.op, pool.shape, source.shape))
        changed: dict[str, Node | None] = {pool.name: None, user.name: flat, last.name: spread}
        return changed, f"folded into {last.path or last.name}"
    return {}, f"it stays: {user.path or user.name} ({user.op.kind}) has no weights to fold it into"


def _box(op: Pool) -> float:
    return 1.0 if op.how == "sum" else 1.0 / torch.Size(op.kernel).numel()


def _exact_at_the_edge(op: Pool, given: tuple[int, ...], made: tuple[int, ...]) -> bool:
    return all(
        kernel <= stride and size * stride >= whole
        for kernel, stride, size, whole in zip(
            op.kernel, op.stride, made[1:], given[1:], strict=True
        )
    )


def _each(function: Callable[..., int], *sizes: Any) -> tuple[int, ...]:
    return tuple(function(*both) for both in zip(*sizes, strict=True))


def _behind(conv: Conv, pool: Pool) -> Conv:
    """The convolution and the pool after it: taps lie a stride of the convolution apart."""
    weight = conv.weight.detach().double()
    taps, apart = weight.shape[2:], conv.dilation
    sizes = _each(
        lambda k, d, p, s: (k - 1) * d + 1 + (p - 1) * s, taps, apart, pool.kernel, conv.stride
    )
    wide = weight.new_zeros((*weight.shape[:2], *sizes))
    rows, columns = ((k - 1) * d + 1 for k, d in zip(taps, apart, strict=True))
    for r in range(pool.kernel[0]):
        for c in range(pool.kernel[1]):
            y, x = r * conv.stride[0], c * conv.stride[1]
            wide[:, :, y : y + rows : apart[0], x : x + columns : apart[1]] += weight * _box(pool)
    bias = conv.bias
    if bias is not None:
        bias = bias.detach().double() * (_box(pool) * torch.Size(pool.kernel).numel())
    stride = _each(lambda a, b: a * b, conv.stride, pool.stride)
    return _with(conv, wide, bias, stride=stride, dilation=(1, 1))


def _in_front(pool: Pool, conv: Conv) -> Conv:
    """The pool and the convolution after it."""
    weight = conv.weight.detach().double()
    apart = _each(lambda a, b: a * b, conv.dilation, pool.stride)
    sizes = _each(lambda k, d, p: (k - 1) * d + p, weight.shape[2:], apart, pool.kernel)
    wide = weight.new_zeros((*weight.shape[:2], *sizes))
    for a in range(weight.shape[2]):
        for b in range(weight.shape[3]):
            y, x = a * apart[0], b * apart[1]
            block = weight[:, :, a, b, None, None] * _box(pool)
            wide[:, :, y : y + pool.kernel[0], x : x + pool.kernel[1]] += block
    bias = None if conv.bias is None else conv.bias.detach().double()
    stride = _each(lambda a, b: a * b, conv.stride, pool.stride)
    padding = _each(lambda a, b: a * b, conv.padding, pool.stride)
    return _with(conv, wide, bias, stride=stride, padding=padding, dilation=(1, 1))


def _spread(pool: Pool, linear: Linear, pooled: tuple[int, ...], given: tuple[int, ...]) -> Linear:
    """The pool, flatten, and the linear layer after them: each weight goes to a whole window."""
    weight = linear.weight.detach().double().view(-1, *pooled)
    window = weight.new_full((pooled[0], 1, *pool.kernel), _box(pool))
    wide = F.conv_transpose2d(weight, window, stride=pool.stride, groups=pooled[0])
    rest = [whole - size for whole, size in zip(given[1:], wide.shape[2:], strict=True)]
    wide = F.pad(wide, (0, rest[1], 0, rest[0]))
    bias = None if linear.bias is None else linear.bias.detach().double()
    return _with(linear, wide.flatten(1), bias)
