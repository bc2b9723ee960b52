"""What a node of the network graph does in one time step.

Shapes and axes are those of one sample, without batch and time. Tensors are shared with the network
that was traced and never written to.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snncore.state.memory import MemoryModule

Sizes: TypeAlias = tuple[int, ...]


class Op(ABC):
    """One operation. Subclasses are frozen dataclasses.

    ``arity`` is the number of inputs, None for one or more.
    """

    arity: ClassVar[int | None] = 1

    @property
    def kind(self) -> str:
        """What tables call it."""
        return type(self).__name__

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The numbers that it holds, by name."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}  # type: ignore[attr-defined]
        return {name: value for name, value in found.items() if isinstance(value, Tensor)}

    @abstractmethod
    def run(self, *inputs: Tensor) -> Tensor:
        """The output ``[N, *]`` of inputs ``[N, *]``."""


@dataclass(frozen=True)
class Input(Op):
    """Where a tensor enters the network."""

    arity: ClassVar[int | None] = 0

    def run(self, *inputs: Tensor) -> Tensor:
        raise TypeError("an input node is given its value, it computes none")


@dataclass(frozen=True)
class Output(Op):
    """Where a tensor leaves the network."""

    def run(self, *inputs: Tensor) -> Tensor:
        return inputs[0]


@dataclass(frozen=True, eq=False)
class Linear(Op):
    """y = W x + b on the last axis.

    Args:
        weight: ``[out, in]``.
        bias: ``[out]``, or None.
    """

    weight: Tensor
    bias: Tensor | None = None

    def run(self, *inputs: Tensor) -> Tensor:
        return F.linear(inputs[0], self.weight, self.bias)


@dataclass(frozen=True, eq=False)
class Conv(Op):
    """A convolution over as many axes as ``stride`` has entries.

    Args:
        weight: ``[out, in / groups, *kernel]``; transposed ``[in, out / groups, *kernel]``.
        bias: ``[out]``, or None.
        stride, padding, dilation: per axis; padding on both sides, with zeros.
        groups: blocks of channels that do not mix.
        transposed: whether it is the transposed convolution.
        output_padding: per axis, of the transposed convolution.
    """

    weight: Tensor
    bias: Tensor | None
    stride: Sizes
    padding: Sizes
    dilation: Sizes
    groups: int = 1
    transposed: bool = False
    output_padding: Sizes = ()

    def run(self, *inputs: Tensor) -> Tensor:
        return torch.convolution(
            inputs[0],
            self.weight,
            self.bias,
            list(self.stride),
            list(self.padding),
            list(self.dilation),
            self.transposed,
            list(self.output_padding or (0,) * len(self.stride)),
            self.groups,
        )

    @property
    def channels(self) -> int:
        """Number of output channels."""
        return self.weight.shape[1] * self.groups if self.transposed else self.weight.shape[0]


@dataclass(frozen=True, eq=False)
class BatchNorm(Op):
    """y = (x - mean) / sqrt(var + eps) * weight + bias per channel: with its running statistics.

    Args:
        mean, var: ``[channels]``.
        weight, bias: ``[channels]``, or None for 1 and 0.
        eps: added to the variance.
    """

    mean: Tensor
    var: Tensor
    weight: Tensor | None
    bias: Tensor | None
    eps: float

    def run(self, *inputs: Tensor) -> Tensor:
        return F.batch_norm(
            inputs[0], self.mean, self.var, self.weight, self.bias, False, 0.0, self.eps
        )

    def affine(self) -> tuple[Tensor, Tensor]:
        """The same as ``x * scale + shift``, computed in float64."""
        scale = torch.rsqrt(self.var.double() + self.eps)
        if self.weight is not None:
            scale = scale * self.weight.double()
        shift = -self.mean.double() * scale
        return scale, shift if self.bias is None else shift + self.bias.double()


@dataclass(frozen=True)
class Pool(Op):
    """Maximum, mean or sum over windows, as many axes as ``kernel`` has entries.

    Args:
        how: which of the three.
        kernel, stride, padding: per axis.
        dilation: per axis, of the maximum.
        ceil: whether windows may begin where they no longer fit.
        counts_padding: whether the mean counts padded zeros.
    """

    how: Literal["max", "mean", "sum"]
    kernel: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes = ()
    ceil: bool = False
    counts_padding: bool = True

    def run(self, *inputs: Tensor) -> Tensor:
        (x,), axes = inputs, len(self.kernel)
        if self.how == "max":
            pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[axes - 1]
            dilation = self.dilation or (1,) * axes
            return pool(x, self.kernel, self.stride, self.padding, dilation, self.ceil)
        pool = cast("Any", (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[axes - 1])
        if self.how == "mean":
            return pool(x, self.kernel, self.stride, self.padding, self.ceil, self.counts_padding)
        mean = pool(x, self.kernel, self.stride, self.padding, self.ceil, True)
        return mean * float(torch.Size(self.kernel).numel())


@dataclass(frozen=True)
class Reshape(Op):
    """The same values in the same order.

    Args:
        shape: of the output.
    """

    shape: Sizes

    def run(self, *inputs: Tensor) -> Tensor:
        return inputs[0].reshape(-1, *self.shape)


@dataclass(frozen=True)
class Add(Op):
    """The sum of its inputs, which broadcast."""

    arity: ClassVar[int | None] = None

    def run(self, *inputs: Tensor) -> Tensor:
        total, *others = inputs
        for other in others:
            total = total + other
        return total


@dataclass(frozen=True)
class Scale(Op):
    """y = factor * x."""

    factor: float

    def run(self, *inputs: Tensor) -> Tensor:
        return inputs[0] * self.factor


@dataclass(frozen=True)
class Concat(Op):
    """Its inputs one after the other along an axis (0 is the first after the batch)."""

    axis: int
    arity: ClassVar[int | None] = None

    def run(self, *inputs: Tensor) -> Tensor:
        return torch.cat(inputs, self.axis + 1)


_ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "silu": F.silu,
    "gelu": F.gelu,
}


@dataclass(frozen=True)
class Activation(Op):
    """A function of each value: relu, relu6, sigmoid, tanh, silu or gelu."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in _ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {', '.join(_ACTIVATIONS)}, got {self.name!r}"
            )

    def run(self, *inputs: Tensor) -> Tensor:
        return _ACTIVATIONS[self.name](inputs[0])


@dataclass(frozen=True)
class Dropout(Op):
    """Silent in this graph, which is the network as it is used after training."""

    p: float

    def run(self, *inputs: Tensor) -> Tensor:
        return inputs[0]


@dataclass(frozen=True)
class Identity(Op):
    """y = x."""

    def run(self, *inputs: Tensor) -> Tensor:
        return inputs[0]


@dataclass(frozen=True)
class Previous(Op):
    """Its input one time step ago; closes the loops of recurrent networks.

    Args:
        initial: the value before the first step.
    """

    initial: float = 0.0

    def run(self, *inputs: Tensor) -> Tensor:
        raise TypeError("the network keeps what a node gave a step ago, the node does not")


@dataclass(frozen=True)
class Select(Op):
    """One of several outputs of a module."""

    index: int

    def run(self, *inputs: Tensor) -> Tensor:
        return cast("Any", inputs[0])[self.index]


@dataclass(frozen=True, eq=False)
class Layer(Op):
    """A module that has no type of its own here.

    Args:
        name: registered name, or the class where it is not registered.
        module: a copy in evaluation and single-step mode.
    """

    name: str
    module: nn.Module
    arity: ClassVar[int | None] = None

    @property
    def kind(self) -> str:
        return self.name

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}

    def run(self, *inputs: Tensor) -> Tensor:
        return self.module(*inputs)


@dataclass(frozen=True, eq=False)
class Neuron(Layer):
    """A module with memory, a copy at rest.

    Args:
        name: registered name (``snn-neurons/lif``), or the class where it is not registered.
        module: a copy in single-step mode, at rest.
        parameters: its numbers and settings by the names of its constructor.
    """

    module: MemoryModule
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Function(Op):
    """A function of torch that has no type of its own here.

    Args:
        name: of the function or method.
        call: takes the inputs; everything else that was given is bound.
    """

    name: str
    call: Callable[..., Tensor]
    arity: ClassVar[int | None] = None

    @property
    def kind(self) -> str:
        return self.name

    def run(self, *inputs: Tensor) -> Tensor:
        return self.call(*inputs)
