"""What one operation costs: a table by operation of torch and one by layer type, to be extended.

A bias is the value that an accumulator starts from and costs nothing. Average pooling adds, then
multiplies once per output. Operations that only move, view or make values are free.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from snncore.monitor.fanout import Window, adaptive, count, products, reached, size
from snncore.monitor.operations import Operations
from snncore.neuron import Neuron
from snncore.state.memory import MemoryModule
from snncore.surrogate import Surrogate


@dataclass(frozen=True)
class Call:
    """One call of an operation of torch.

    Args:
        args: positional arguments.
        out: what it gave; the first of several tensors.
        weights: addresses of the network's parameters, whose zeros and ones are no spikes.
    """

    args: tuple[Any, ...]
    out: Tensor
    weights: frozenset[int]

    def argument(self, place: int, default: Any) -> Any:
        """A positional argument that may be left out."""
        return self.args[place] if len(self.args) > place else default

    def spikes(self, x: Tensor) -> bool:
        """Whether every entry is 0 or 1, and ``x`` is data."""
        if x.untyped_storage().data_ptr() in self.weights:
            return False
        return x.dtype == torch.bool or bool(((x == 0) | (x == 1)).all())


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer: the module, what it took and what it gave, and its time steps."""

    module: nn.Module
    inputs: tuple[Any, ...]
    output: Any
    steps: int


Rule: TypeAlias = Callable[[Call], Operations]
LayerRule: TypeAlias = Callable[[LayerCall], Operations | str]
"""A text instead of counts names what the rule cannot count."""


def _synapses(call: Call, x: Tensor, y: Tensor, events: int | None, dense: int) -> Operations:
    done = dense if events is None else events
    base = Operations(
        dense=dense,
        weight_bytes=done * y.element_size(),
        activation_bytes=size(x, call.out),
    )
    if events is None:
        return replace(base, mac=dense)
    return replace(base, sops=events, ac=events)


def matmul(call: Call, x: Tensor, y: Tensor) -> Operations:
    """``[*, m, k] @ [*, k, n]``; either side may be spikes, as in attention."""
    by_x, by_y, by_both, dense = products(x, y)
    first, second = call.spikes(x), call.spikes(y)
    events = by_both if first and second else by_x if first else by_y if second else None
    data, weight = (y, x) if x.untyped_storage().data_ptr() in call.weights else (x, y)
    return _synapses(call, data, weight, events, dense)


def _convolution(call: Call) -> Operations:
    x, w, _, stride, padding, dilation, transposed, _, _ = call.args[:9]
    d = x.dim() - 2
    steps = (_wide(values, d) for values in (stride, padding, dilation))
    sizes = zip(x.shape[2:], call.out.shape[2:], w.shape[2:], *steps, strict=True)
    windows = [Window(*each, transposed=transposed).uses() for each in sizes]
    # Each input channel reaches the output channels of its group.
    width = w.shape[1] if transposed else w.shape[0] // call.args[8]
    events, dense = (n * width for n in reached(x, windows))
    return _synapses(call, x, w, events if call.spikes(x) else None, dense)


def _windows(call: Call, dilated: bool) -> list[Tensor]:
    x, kernel = call.args[0], list(call.args[1])
    d = len(kernel)
    stride = list(call.argument(2, ())) or kernel
    padding = list(call.argument(3, ())) or [0] * d
    dilation = (list(call.argument(4, ())) if dilated else []) or [1] * d
    sizes = (x.shape[-d:], call.out.shape[-d:], kernel, *(_wide(s, d) for s in (stride, padding)))
    return [Window(*s).uses() for s in zip(*sizes, _wide(dilation, d), strict=True)]


def _wide(values: list[int], d: int) -> list[int]:
    return values * d if len(values) == 1 else values


def _pooled(call: Call, uses: list[Tensor]) -> Operations:
    x = call.args[0]
    events, dense = reached(x, uses)
    added = events if call.spikes(x) else dense
    return Operations(mac=call.out.numel(), ac=added, activation_bytes=size(x, call.out))


def _average(call: Call) -> Operations:
    return _pooled(call, _windows(call, dilated=False))


def _adaptive_average(call: Call) -> Operations:
    lengths = zip(call.args[0].shape[-len(call.args[1]) :], call.args[1], strict=True)
    return _pooled(call, [adaptive(*pair) for pair in lengths])


def _mean(call: Call) -> Operations:
    return _pooled(call, [])


def _sum(call: Call) -> Operations:
    return replace(_pooled(call, []), mac=0)


def _largest(call: Call) -> Operations:
    dense = reached(call.args[0], _windows(call, dilated=True))[1]
    return Operations(comparisons=dense, activation_bytes=size(call.args[0], call.out))


def _adaptive_largest(call: Call) -> Operations:
    lengths = zip(call.args[0].shape[-len(call.args[1]) :], call.args[1], strict=True)
    dense = reached(call.args[0], [adaptive(*pair) for pair in lengths])[1]
    return Operations(comparisons=dense, activation_bytes=size(call.args[0], call.out))


def _tensors(call: Call) -> list[Tensor]:
    return [x for x in call.args if isinstance(x, Tensor)]


def _add(call: Call) -> Operations:
    operands = _tensors(call)
    spiking = all(call.spikes(x) for x in operands) and len(operands) > 1
    added = sum(map(count, operands)) if spiking else call.out.numel()
    return Operations(ac=added, activation_bytes=size(*operands, call.out))


def _multiply(call: Call) -> Operations:
    operands = _tensors(call)
    moved = size(*operands, call.out)
    if len(operands) > 1 and any(call.spikes(x) for x in operands):
        return Operations(comparisons=call.out.numel(), activation_bytes=moved)
    return Operations(mac=call.out.numel(), activation_bytes=moved)


def _compare(call: Call) -> Operations:
    largest = max((x.numel() for x in _tensors(call)), default=0)
    moved = size(*_tensors(call), call.out)
    return Operations(comparisons=largest, activation_bytes=moved)


def _normalise(call: Call) -> Operations:
    """The affine map of evaluation mode; folded into the layer before, it costs nothing."""
    x = call.args[0]
    return Operations(mac=x.numel(), weight_bytes=2 * size(x), activation_bytes=size(x, call.out))


def _vector(call: Call) -> Operations:
    return matmul(call, call.args[0], call.args[1].unsqueeze(-1))


_COMPARISONS = """
    relu relu_ threshold clamp clamp_ clamp_min maximum minimum where amax amin max min argmax
    hardtanh hardtanh_ leaky_relu leaky_relu_ eq ne lt le gt ge logical_and logical_or logical_not
"""
_MOVES = """
    abs alias arange as_strided bernoulli bernoulli_ cat clone constant_pad_nd contiguous copy copy_
    col2im detach detach_ embedding empty empty_like empty_strided eye fill fill_ flip full
    full_like gather im2col index index_put index_put_ index_select lift_fresh linspace masked_fill
    masked_fill_ native_channel_shuffle neg new_empty new_empty_strided new_full new_ones new_zeros
    normal_ ones ones_like pixel_shuffle pixel_unshuffle rand rand_like randint randn randn_like
    reflection_pad1d reflection_pad2d reflection_pad3d repeat replication_pad1d replication_pad2d
    replication_pad3d roll scalar_tensor scatter slice_scatter split_with_sizes_copy stack tril triu
    uniform_ upsample_nearest1d upsample_nearest2d upsample_nearest3d zero_ zeros zeros_like
    _to_copy _unsafe_view _reshape_alias _local_scalar_dense
"""

_RULES: dict[str, Rule] = {
    "mm": lambda call: matmul(call, *call.args[:2]),
    "bmm": lambda call: matmul(call, *call.args[:2]),
    "addmm": lambda call: matmul(call, *call.args[1:3]),
    "baddbmm": lambda call: matmul(call, *call.args[1:3]),
    "mv": _vector,
    "convolution": _convolution,
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), _average),
    **dict.fromkeys(("_adaptive_avg_pool2d", "_adaptive_avg_pool3d"), _adaptive_average),
    **dict.fromkeys(("max_pool2d_with_indices", "max_pool3d_with_indices"), _largest),
    **dict.fromkeys(("adaptive_max_pool2d", "adaptive_max_pool3d"), _adaptive_largest),
    "mean": _mean,
    "sum": _sum,
    **dict.fromkeys(
        (
            "native_batch_norm",
            "cudnn_batch_norm",
            "_native_batch_norm_legit",
            "_native_batch_norm_legit_no_training",
            "_batch_norm_with_update",
        ),
        _normalise,
    ),
    **dict.fromkeys(("add", "add_", "sub", "sub_", "rsub"), _add),
    **dict.fromkeys(("mul", "mul_", "div", "div_"), _multiply),
    **dict.fromkeys(_COMPARISONS.split(), _compare),
}

FREE: frozenset[str] = frozenset(_MOVES.split())
"""Operations of torch that compute nothing; views are free without being named."""


def _state_bytes(module: MemoryModule, steps: int) -> int:
    return 2 * steps * size(*module._states.values())


def _neuron(call: LayerCall) -> Operations | str:
    module = call.module
    if not isinstance(module, Neuron):
        raise TypeError(f"the rule of neurons was asked for a {type(module).__name__}")
    x = next((x for x in call.inputs if isinstance(x, Tensor)), None)
    if x is None:
        return f"{type(module).__name__}, whose input was given by keyword"
    whole = type(module).sequence is not Neuron.sequence or type(module).single is not Neuron.single
    if whole or any(not isinstance(child, Surrogate) for child in module.children()):
        return f"the dynamics of {type(module).__name__}, which are no element-wise step"
    outputs = call.output if isinstance(call.output, tuple) else (call.output,)
    return Operations(
        updates=x.numel(),
        state_bytes=_state_bytes(module, call.steps),
        activation_bytes=size(x, *outputs),
    )


def _memory(call: LayerCall) -> Operations | str:
    if not isinstance(call.module, MemoryModule):
        raise TypeError(f"the rule of memories was asked for a {type(call.module).__name__}")
    return Operations(state_bytes=_state_bytes(call.module, call.steps))


@dataclass(frozen=True)
class Rules:
    """The tables of one counter.

    Args:
        operations: by name of the operation in ``torch.ops.aten``, or ``namespace::name``.
        layers: by type, the nearest one in the order of inheritance; such a rule speaks for all
            that the layer does inside.
        beside: the same, but what the layer does inside is counted as well.
    """

    operations: Mapping[str, Rule]
    layers: Mapping[type[nn.Module], LayerRule]
    beside: Mapping[type[nn.Module], LayerRule]

    def extended(
        self, operations: Mapping[str, Rule], layers: Mapping[type[nn.Module], LayerRule]
    ) -> Rules:
        """These and further ones, which win."""
        return Rules({**self.operations, **operations}, {**self.layers, **layers}, self.beside)

    @staticmethod
    def of(module: nn.Module, table: Mapping[type[nn.Module], LayerRule]) -> LayerRule | None:
        """The rule for a layer, if there is one."""
        return next((table[cls] for cls in type(module).__mro__ if cls in table), None)


RULES = Rules(
    MappingProxyType(_RULES),
    MappingProxyType({Neuron: _neuron}),
    MappingProxyType({MemoryModule: _memory}),
)
"""The built-in rules; a counter takes more of either sort."""
