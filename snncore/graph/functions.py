"""What a call of a torch function or method is in a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from snncore.graph import ops
from snncore.graph.modules import adaptive_mean, sizes

Known: TypeAlias = Callable[[Tensor], bool]
Found: TypeAlias = tuple[ops.Op | None, Sequence[Tensor]] | None


def op_of_call(
    func: Callable[..., Any],
    name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    result: Tensor,
    known: Known,
) -> tuple[ops.Op | None, Sequence[Tensor]]:
    """The operation of a call and the tensors that it takes; None for one that changes no value.

    Args:
        func, name, args, kwargs, result: the call.
        known: whether a tensor depends on the network's input; others are constants.
    """
    make = _MAKERS.get(name)
    found = None if make is None else make(known, result, *args, **kwargs)
    return found or _function(func, name, args, kwargs, known)


def _function(
    func: Callable[..., Any], name: str, args: Any, kwargs: Any, known: Known
) -> tuple[ops.Op, Sequence[Tensor]]:
    """A call of no type of its own: constants are bound."""
    leaves, spec = tree_flatten((args, kwargs))
    places = [i for i, x in enumerate(leaves) if isinstance(x, Tensor) and known(x)]
    taken = [leaves[i] for i in places]
    bound = [None if i in places else leaf for i, leaf in enumerate(leaves)]

    def call(*inputs: Tensor) -> Tensor:
        filled = list(bound)
        for place, value in zip(places, inputs, strict=True):
            filled[place] = value
        given, named = tree_unflatten(filled, spec)
        return func(*given, **named)

    return ops.Function(name.strip("_"), call), taken


def _linear(known: Known, y: Tensor, x: Tensor, weight: Tensor, bias: Any = None) -> Found:
    if known(weight) or (bias is not None and known(bias)):
        return None
    return ops.Linear(weight, bias), (x,)


def _matmul(known: Known, y: Tensor, x: Tensor, other: Tensor) -> Found:
    if not known(x) or known(other) or other.dim() != 2:
        return None
    return ops.Linear(other.t()), (x,)


def _conv(
    known: Known,
    y: Tensor,
    input: Tensor,
    weight: Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Found:
    if known(weight) or isinstance(padding, str):
        return None
    axes = weight.dim() - 2
    stride, padding, dilation = (sizes(value, axes) for value in (stride, padding, dilation))
    return ops.Conv(weight, bias, stride, padding, dilation, groups), (input,)


def _norm(
    known: Known,
    y: Tensor,
    input: Tensor,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Found:
    if training or running_mean is None:
        return None
    return ops.BatchNorm(running_mean, running_var, weight, bias, eps), (input,)


def _mean_pool(
    known: Known,
    y: Tensor,
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Found:
    if divisor_override is not None:
        return None
    axes = input.dim() - 2
    kernel = sizes(kernel_size, axes)
    step = kernel if stride is None or stride == [] else sizes(stride, axes)
    pool = ops.Pool(
        "mean",
        kernel,
        step,
        sizes(padding, axes),
        ceil=ceil_mode,
        counts_padding=count_include_pad,
    )
    return pool, (input,)


def _max_pool(
    known: Known,
    y: Tensor,
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Found:
    if return_indices:
        return None
    axes = input.dim() - 2
    kernel = sizes(kernel_size, axes)
    step = kernel if stride is None or stride == [] else sizes(stride, axes)
    pool = ops.Pool("max", kernel, step, sizes(padding, axes), sizes(dilation, axes), ceil_mode)
    return pool, (input,)


def _adaptive(known: Known, y: Tensor, input: Tensor, output_size: Any) -> Found:
    made = adaptive_mean(input, y)
    return None if made is None else (made, (input,))


def _add(known: Known, y: Tensor, a: Any, b: Any, *, alpha: Any = 1) -> Found:
    tensors = isinstance(a, Tensor) and isinstance(b, Tensor)
    if alpha != 1 or not tensors or not (known(a) and known(b)):
        return None
    return ops.Add(), (a, b)


def _multiply(known: Known, y: Tensor, a: Any, b: Any) -> Found:
    for x, factor in ((a, b), (b, a)):
        if isinstance(factor, (int, float)) and y.dtype == x.dtype:
            return ops.Scale(float(factor)), (x,)
    return None


def _divide(known: Known, y: Tensor, a: Any, b: Any, *, rounding_mode: Any = None) -> Found:
    # A quotient is a product only where the reciprocal is exact.
    exact = (
        isinstance(b, (int, float)) and b and float(abs(b)).hex().startswith("0x1.0000000000000p")
    )
    if rounding_mode is not None or not exact:
        return None
    return ops.Scale(1.0 / float(b)), (a,)


def _concat(known: Known, y: Tensor, tensors: Any, dim: int = 0, **named: Any) -> Found:
    axis = named.get("axis", dim) % y.dim()
    if not axis or not all(map(known, tensors)):
        return None
    return ops.Concat(axis - 1), tuple(tensors)


def _reshape(known: Known, y: Tensor, x: Tensor, *rest: Any, **named: Any) -> Found:
    return (ops.Reshape(tuple(y.shape[1:])), (x,)) if y.dim() and len(y) == len(x) else None


def _same(known: Known, y: Tensor, x: Tensor, *rest: Any, **named: Any) -> Found:
    return (None, (x,)) if x.dtype == y.dtype and x.device == y.device else None


def _dropout(
    known: Known,
    y: Tensor,
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> Found:
    # Drawn in evaluation too, it is no dropout that falls silent after training.
    return None if training else (ops.Dropout(p), (input,))


def _activation(name: str) -> Callable[..., Found]:
    def make(known: Known, y: Tensor, x: Tensor, inplace: bool = False) -> Found:
        return ops.Activation(name), (x,)

    return make


_MAKERS: dict[str, Callable[..., Found]] = {
    "linear": _linear,
    "matmul": _matmul,
    "__matmul__": _matmul,
    "mm": _matmul,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _conv),
    "batch_norm": _norm,
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d"), _mean_pool),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d"), _max_pool),
    **{f"adaptive_avg_pool{n}d": _adaptive for n in (1, 2, 3)},
    **dict.fromkeys(("add", "__add__", "__radd__", "__iadd__", "add_"), _add),
    **dict.fromkeys(("mul", "__mul__", "__rmul__", "__imul__", "mul_"), _multiply),
    **dict.fromkeys(("div", "__truediv__", "__itruediv__", "div_"), _divide),
    **dict.fromkeys(("cat", "concat", "concatenate"), _concat),
    **dict.fromkeys(("flatten", "reshape", "view", "unflatten", "squeeze", "unsqueeze"), _reshape),
    **dict.fromkeys(("to", "float", "contiguous", "detach", "clone", "requires_grad_"), _same),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d"), _dropout),
    **{name: _activation(name) for name in ("relu", "relu_", "relu6", "sigmoid", "tanh", "silu")},
}
