"""Containers that run their inside in a way of their own: merged, step by step, or recurrent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from snncore.state.memory import MemoryModule
from snncore.state.unroll import Given, Tensors
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


class _Recurrent(MemoryModule):
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


class ElementWiseRecurrentContainer(_Recurrent):
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


class LinearRecurrentContainer(_Recurrent):
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

    def state_like(self, name: str, *inputs: Given) -> tuple[torch.Size, torch.dtype]:
        """``[N, *, out_features]`` in the input's dtype."""
        x = inputs[0]
        return torch.Size((*x.shape[:-1], self.out_features)), x.dtype

    def extra_repr(self) -> str:
        """Sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}"
