"""What a module of a network is in its graph."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from torch import Tensor, nn

from snncore.graph import ops
from snncore.layers.time_aware import TimeAware
from snncore.registry import label
from snncore.state.memory import MemoryModule
from snncore.step import StepModule

Maker = Callable[[Any, Tensor, Tensor], ops.Op | None]


def is_leaf(module: nn.Module) -> bool:
    """Whether a module is one node, whatever it computes inside.

    Modules with memory, torch's own, and their time-aware forms are.
    """
    if isinstance(module, MemoryModule):
        return True
    cls = _plain(type(module))
    return cls.__module__.startswith("torch.nn") and not issubclass(
        cls, (nn.Sequential, nn.ModuleList, nn.ModuleDict)
    )


def op_of_module(module: nn.Module, x: Tensor, y: Tensor) -> ops.Op:
    """The operation of a leaf.

    Args:
        x, y: what it was given and what it gave, ``[N, *]``.
    """
    if isinstance(module, MemoryModule):
        return ops.Neuron(label(module), _quiet(module), _settings(module))
    for cls, make in _MAKERS.items():
        if isinstance(module, cls):
            made = make(module, x, y)
            if made is not None:
                return made
    return ops.Layer(label(module), _quiet(module))


def _plain(cls: type[nn.Module]) -> type[nn.Module]:
    """The class that a time-aware form was made of."""
    if not issubclass(cls, TimeAware):
        return cls
    return next(base for base in cls.__mro__ if not issubclass(base, StepModule))


def _quiet(module: nn.Module) -> Any:
    """A copy at rest that shares its parameters."""
    memo: dict[int, Any] = {id(p): p for p in module.parameters()}
    forward = module.__dict__.pop("forward", None)
    held = module.__dict__.get("_states")
    try:
        if held:
            module.__dict__["_states"] = {}
        return copy.deepcopy(module, memo)
    finally:
        if held:
            module.__dict__["_states"] = held
        if forward is not None:
            module.__dict__["forward"] = forward


def _settings(module: nn.Module) -> Mapping[str, Any]:
    """What the constructor was given, where the module keeps it under the same name."""
    names = inspect.signature(type(module)).parameters
    return {name: getattr(module, name) for name in names if hasattr(module, name)}


def sizes(value: Any, axes: int) -> ops.Sizes:
    """One number per axis."""
    return tuple(value) if isinstance(value, (tuple, list)) else (int(value),) * axes


def _linear(m: nn.Linear, x: Tensor, y: Tensor) -> ops.Op:
    return ops.Linear(m.weight, m.bias)


def _conv(m: Any, x: Tensor, y: Tensor) -> ops.Op | None:
    if m.padding_mode != "zeros" or isinstance(m.padding, str):
        return None
    transposed = bool(m.transposed)
    extra = tuple(m.output_padding) if transposed else ()
    return ops.Conv(m.weight, m.bias, m.stride, m.padding, m.dilation, m.groups, transposed, extra)


def _norm(m: Any, x: Tensor, y: Tensor) -> ops.Op | None:
    if m.running_mean is None:
        return None
    return ops.BatchNorm(m.running_mean, m.running_var, m.weight, m.bias, m.eps)


def _mean_pool(m: Any, x: Tensor, y: Tensor) -> ops.Op | None:
    if getattr(m, "divisor_override", None) is not None:
        return None
    axes = x.dim() - 2
    kernel, stride = sizes(m.kernel_size, axes), sizes(m.stride, axes)
    padding = sizes(m.padding, axes)
    return ops.Pool(
        "mean", kernel, stride, padding, ceil=m.ceil_mode, counts_padding=m.count_include_pad
    )


def _max_pool(m: Any, x: Tensor, y: Tensor) -> ops.Op | None:
    if m.return_indices:
        return None
    axes = x.dim() - 2
    values = (m.kernel_size, m.stride, m.padding, m.dilation)
    kernel, stride, padding, dilation = (sizes(value, axes) for value in values)
    return ops.Pool("max", kernel, stride, padding, dilation, m.ceil_mode)


def adaptive_mean(x: Tensor, y: Tensor) -> ops.Op | None:
    """Windows of equal size that lie side by side, where the sizes divide."""
    given, wanted = x.shape[2:], y.shape[2:]
    if any(a % b for a, b in zip(given, wanted, strict=True)):
        return None
    kernel = tuple(a // b for a, b in zip(given, wanted, strict=True))
    return ops.Pool("mean", kernel, kernel, (0,) * len(kernel))


def _reshape(m: nn.Module, x: Tensor, y: Tensor) -> ops.Op | None:
    return ops.Reshape(tuple(y.shape[1:])) if len(x) == len(y) else None


def _activation(m: nn.Module, x: Tensor, y: Tensor) -> ops.Op | None:
    name = _plain(type(m)).__name__.lower()
    if name == "gelu" and cast("Any", m).approximate != "none":
        return None
    return ops.Activation(name)


_MAKERS: dict[Any, Maker] = {
    nn.Linear: _linear,
    (nn.Conv1d, nn.Conv2d, nn.Conv3d): _conv,
    (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d): _conv,
    (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm): _norm,
    (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d): _mean_pool,
    (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d): _max_pool,
    (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d): (
        lambda m, x, y: adaptive_mean(x, y)
    ),
    (nn.Flatten, nn.Unflatten): _reshape,
    (nn.ReLU, nn.ReLU6, nn.Sigmoid, nn.Tanh, nn.SiLU, nn.GELU): _activation,
    (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d): lambda m, x, y: ops.Dropout(m.p),
    nn.Identity: lambda m, x, y: ops.Identity(),
}
