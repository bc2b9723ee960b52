"""Containers that run their inside in a way of their own: merged, step by step, or recurrent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snncore.kernels.fused import FusedModule
from snncore.registry import label
from snncore.state.memory import MemoryModule
from snncore.state.unroll import Given, OneStep, Tensors, arithmetic, one_step, unroll
from snncore.step import (
    MultiStepModule,
    StepMode,
    multi_step_forward,
    seq_to_ann_forward,
    set_step_mode,
)

_GIVEN = "its modules are given as objects, not as plain values"
_SEQUENCE = f"a single step is no sequence that it could take apart; {_GIVEN}"


def _declared(example: Callable[..., nn.Module], reason: str, **more: Any) -> dict[str, Any]:
    return {"example": example, "configurable": False, "reason": reason, **more}


class SeqToANNContainer(MultiStepModule, nn.Sequential):
    """Stateless modules run once over a whole sequence, time merged into the batch.

    Y = M(X),  M the modules in order, of all T * N items at once, as if they were one batch

    Args:
        modules: plain torch modules, applied in order to ``[T * N, *]``.
    Shape: ``[T, N, *]`` in and out.
    Source: SpikingJelly (Science Advances 2023), acceleration of stateless layers.
    """

    inner_step_mode: ClassVar[StepMode | None] = "s"
    conformance: ClassVar[Mapping[str, Any]] = _declared(
        lambda: SeqToANNContainer(nn.Linear(6, 5), nn.Tanh()), _SEQUENCE
    )

    def forward(self, input: Tensor) -> Tensor:
        """``[T, N, *] -> [T, N, *]``."""
        return seq_to_ann_forward(input, super().forward)


class MultiStepContainer(MultiStepModule, nn.Sequential):
    """Single-step modules run step by step over a whole sequence.

    y[t] = M(x[t]),  M the modules in order, t = 0 ... T - 1

    Args:
        modules: single-step modules, applied in order at each step.
    Shape: ``[T, N, *]`` in and out, T >= 1.
    Source: SpikingJelly (Science Advances 2023), step-by-step propagation.
    """

    inner_step_mode: ClassVar[StepMode | None] = "s"
    conformance: ClassVar[Mapping[str, Any]] = _declared(
        lambda: MultiStepContainer(nn.Linear(6, 5), nn.Tanh()),
        f"{_SEQUENCE}; the shape of its output is known from a step only",
        empty=False,
    )

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__(*modules)
        for module in modules:
            set_step_mode(module, "s")

    def forward(self, input: Tensor) -> Tensor:
        """``[T, N, *] -> [T, N, *]``."""
        return multi_step_forward(input, super().forward)


class RecurrentContainer(MemoryModule):
    """A module whose last output ``y`` is part of its next input; its inside runs step by step.

    The inside may be stateful itself; its state is then stepped with this module's.
    """

    states: ClassVar[Mapping[str, float]] = {"y": 0.0}
    inner_step_mode: ClassVar[StepMode | None] = "s"

    def __init__(self, sub_module: nn.Module, step_mode: StepMode) -> None:
        super().__init__()
        set_step_mode(sub_module, "s")
        self.sub_module = sub_module
        self.step_mode = step_mode

    def combine(self, x: Tensor, y: Tensor) -> Tensor:
        """The inside's input from this step's input and the last output."""
        raise TypeError(f"{type(self).__name__} must define combine(x, y)")

    def step(self, *args: Tensor) -> Tensors:
        """``(x, y) -> (y, y)``."""
        x, y = args
        out = self.sub_module(self.combine(x, y))
        # Under autocast the inside may answer in another dtype than it is fed.
        return out, out.to(x.dtype)

    def state_like(self, name: str, *inputs: Given) -> tuple[torch.Size, torch.dtype]:
        """The last output has the input's dtype."""
        return inputs[0].shape, inputs[0].dtype


class ElementWiseRecurrentContainer(RecurrentContainer):
    """Feeds the last output back through an element-wise function.

    y[t] = M(f(x[t], y[t-1])),  y[-1] = 0

    Args:
        sub_module: M; single-step, maps ``[N, *]`` to the same shape.
        function: f, takes two tensors ``[N, *]``; default is the sum.
        step_mode: of the container; M always runs step by step.
    Shape: ``[N, *]`` or ``[T, N, *]``, output like input.
    Source: SpikingJelly (Science Advances 2023), Eq. 30.
    """

    conformance: ClassVar[Mapping[str, Any]] = _declared(
        lambda: ElementWiseRecurrentContainer(nn.Linear(6, 6)), _GIVEN
    )

    def __init__(
        self,
        sub_module: nn.Module,
        function: Callable[[Tensor, Tensor], Tensor] | None = None,
        *,
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__(sub_module, step_mode)
        self.function: Callable[[Tensor, Tensor], Tensor] = function or torch.add

    def combine(self, x: Tensor, y: Tensor) -> Tensor:
        """f(x, y)."""
        return self.function(x, y)


class _Fed(RecurrentContainer):
    """One that feeds back through a matrix: neurons inside run in one kernel over all steps."""

    def forward_weights(self) -> tuple[Tensor, Tensor | None]:
        """Matrix ``[H, in_features]`` and bias of what does not depend on the last output."""
        raise TypeError(f"{type(self).__name__} must define forward_weights() and feedback()")

    def feedback(self) -> Tensor:
        """The matrix ``[H, H]``."""
        raise TypeError(f"{type(self).__name__} must define forward_weights() and feedback()")

    def looped(self, x: Given) -> str | None:
        """Why it runs step by step on inputs like ``x``; None if in one kernel."""
        if self.step_mode == "s":
            return "it is in step_mode 's'"
        inside = self.sub_module
        if not isinstance(inside, FusedModule):
            return f"{label(inside)} is not a neuron with a step of its own"
        rows, columns = self.feedback().shape
        if rows != columns:
            return f"{label(inside)} takes {rows} values and gives {columns}"
        shape = torch.Size((*x.shape[:-1], columns))
        return inside.unfed(OneStep(shape, arithmetic(x.dtype), x.device))

    def sequence(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """All steps, in one kernel where that is possible."""
        (x,), (last,) = inputs, states
        if self.looped(one_step(x)) is not None:
            return self._loop(inputs, states)
        # Compiled only here, as nothing else needs it.
        from snncore.kernels.product import linear

        drive = linear(x, *self.forward_weights()).to(arithmetic(x.dtype))
        y = cast("FusedModule", self.sub_module).fed_back(drive, self.feedback(), last)
        # A state that is a view would keep the whole sequence.
        return (y.to(x.dtype),), (y[-1].clone() if len(y) else last,)

    def _loop(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """All steps, one after the other."""
        return super().sequence(inputs, states)


class Recurrent(_Fed):
    """Neurons whose last output is fed back to all of them through weights.

    y[t] = M(W x[t] + b + U y[t-1]),  y[-1] = 0

    W and b are ``feedforward``, U is ``recurrent``. In mode ``"m"`` and with a neuron inside whose
    backend can (:func:`snncore.explain` tells), all steps run in one kernel, which skips the
    weights of neurons that are silent; the weights' gradients are one product over all steps.

    Args:
        sub_module: M; a single-step neuron, maps ``[N, *, out_features]`` to the same shape.
        in_features: size of the last axis of x.
        out_features: number of neurons, size of the last axis of y.
        bias: whether there is b.
        step_mode: ``"s"`` or ``"m"``; M itself always is in single-step mode.
    Shape: ``[N, *, in_features]`` or ``[T, N, *, in_features]``, output with ``out_features``.
    Raises: StateError as :class:`snncore.MemoryModule`.
    Example:
        >>> import snncore
        >>> from snncore.neuron import Neuron
        >>> class Leaky(Neuron):
        ...     def charge(self, x, v):
        ...         return 0.5 * v + x
        >>> layer = Recurrent(Leaky(), 3, 4, step_mode="m")
        >>> layer(torch.rand(5, 2, 3)).shape
        torch.Size([5, 2, 4])
        >>> layer.y.shape
        torch.Size([2, 4])

    Source: SpikingJelly (Science Advances 2023), Eq. 30, with separate weights for x and y.
    """

    conformance: ClassVar[Mapping[str, Any]] = _declared(lambda: Recurrent(nn.Tanh(), 6, 5), _GIVEN)

    def __init__(
        self,
        sub_module: nn.Module,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__(sub_module, step_mode)
        self.in_features = in_features
        self.out_features = out_features
        self.bias = bias
        self.feedforward = nn.Linear(in_features, out_features, bias=bias)
        self.recurrent = nn.Linear(out_features, out_features, bias=False)

    def forward_weights(self) -> tuple[Tensor, Tensor | None]:
        """W and b."""
        return self.feedforward.weight, self.feedforward.bias

    def feedback(self) -> Tensor:
        """U."""
        return self.recurrent.weight

    def step(self, *args: Tensor) -> Tensors:
        """``(x, y) -> (y, y)``."""
        x, last = args
        y, last = self._recur(self._drive(x), last)
        return y.to(x.dtype), last

    def _loop(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        (x,) = inputs
        drive = self._drive(x)
        if not len(x):
            return (drive.to(x.dtype),), states
        (y,), after, _ = unroll(self._recur, (drive,), states, 1)
        return (y.to(x.dtype),), after

    def state_like(self, name: str, *inputs: Given) -> tuple[torch.Size, torch.dtype]:
        """``[N, *, out_features]`` in float32 or float64."""
        x = inputs[0]
        return torch.Size((*x.shape[:-1], self.out_features)), arithmetic(x.dtype)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}"

    def _drive(self, x: Tensor) -> Tensor:
        return self.feedforward(x).to(arithmetic(x.dtype))

    def _recur(self, *args: Tensor) -> Tensors:
        drive, last = args
        y = self.sub_module(drive + F.linear(last, self.feedback().to(last.dtype)))
        return y, y.to(last.dtype)


class LinearRecurrentContainer(_Fed):
    """Feeds the last output back through a linear layer.

    y[t] = M(L([x[t]; y[t-1]])),  y[-1] = 0

    Args:
        sub_module: M; single-step, maps ``[N, *, in_features]`` to ``[N, *, out_features]``.
        in_features: size of the last axis of x.
        out_features: size of the last axis of y.
        bias: whether L has a bias.
        step_mode: of the container; M always runs step by step.
    Shape: ``[N, *, in_features]`` or ``[T, N, *, in_features]``.
    Source: SpikingJelly (Science Advances 2023), Eq. 30.
    """

    conformance: ClassVar[Mapping[str, Any]] = _declared(
        lambda: LinearRecurrentContainer(nn.Linear(6, 5), 6, 5), _GIVEN
    )

    def __init__(
        self,
        sub_module: nn.Module,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__(sub_module, step_mode)
        self.in_features = in_features
        self.out_features = out_features
        self.bias = bias
        self.linear = nn.Linear(in_features + out_features, in_features, bias=bias)

    def combine(self, x: Tensor, y: Tensor) -> Tensor:
        """L([x; y])."""
        return self.linear(torch.cat((x, y), -1))

    def forward_weights(self) -> tuple[Tensor, Tensor | None]:
        """The part of L that is x's."""
        return self.linear.weight[:, : self.in_features], self.linear.bias

    def feedback(self) -> Tensor:
        """The weights of y in L."""
        return self.linear.weight[:, self.in_features :]

    def looped(self, x: Given) -> str | None:
        """As of any; and L rounds in half precision."""
        if x.dtype != arithmetic(x.dtype) or torch.is_autocast_enabled(x.device.type):
            return "its linear layer computes in half precision"
        return super().looped(x)

    def state_like(self, name: str, *inputs: Given) -> tuple[torch.Size, torch.dtype]:
        """``[N, *, out_features]`` in the input's dtype."""
        x = inputs[0]
        return torch.Size((*x.shape[:-1], self.out_features)), x.dtype

    def extra_repr(self) -> str:
        """Sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}"
