"""DropConnect: a linear layer that drops weights, for each sample others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn

from snn_neurons.layers.locked_dropout import check_probability
from snncore.state.memory import MemoryModule
from snncore.state.unroll import Given, Tensors, unroll
from snncore.step import StepMode, locate


class DropConnectLinear(MemoryModule):
    """A linear layer that drops single weights, in training, with a mask of each sample's own.

    Y = (M * W) X + m * b;  M, m = 1 with probability 1 - p, else 0.
    Evaluation gives the mean over all masks, Y = (1 - p) (W X + b).

    Args:
        in_features, out_features: sizes of the last axis.
        bias: whether there is a bias; it is dropped like a weight.
        p: probability of dropping a weight, in [0, 1].
        invariant: keep the mask of the first step for all time steps until reset; else each step
            draws its own.
        step_mode: "s" or "m".
    Shape: x [N, in_features] or [T, N, in_features]; output [..., out_features]; with
        ``invariant`` state mask [N, out_features, in_features (+ 1 for the bias)].
    Raises: ValueError if p leaves [0, 1] or x has another shape; StateError when the mask does not
        fit the input.
    Example:
        >>> DropConnectLinear(4, 2, p=1.0)(torch.ones(3, 4)).abs().sum().item()
        0.0

    Source: Wan et al., Regularization of neural networks using DropConnect, ICML 2013, Algorithms
        1 and 2 (its average over samples is the mean where no activation follows inside);
        SpikingJelly (Science Advances 2023), supplement.
    """

    states: ClassVar[Mapping[str, float]] = {"mask": 1.0}
    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": (
            {"in_features": 4, "out_features": 3, "invariant": True},
            {"in_features": 4, "out_features": 3, "bias": False, "p": 0.3, "invariant": True},
            {"in_features": 4, "out_features": 3},
        ),
        "shape": (4,),
    }

    def __init__(
        self,
        in_features: Annotated[int, Gt(0)],
        out_features: Annotated[int, Gt(0)],
        *,
        bias: bool = True,
        p: Annotated[float, Ge(0), Le(1)] = 0.5,
        invariant: bool = False,
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__()
        check_probability(self, p)
        self.in_features = in_features
        self.out_features = out_features
        self.bias = bias
        self.p = p
        self.invariant = invariant
        self.linear = nn.Linear(in_features, out_features, bias=bias)
        if not invariant:
            # A mask of one step only is no memory.
            self.states = {}  # pyright: ignore[reportAttributeAccessIssue]
        self.step_mode = step_mode

    def state_like(self, name: str, *inputs: Given) -> tuple[torch.Size, torch.dtype]:
        """``[N, out_features, in_features (+ 1)]``, bool."""
        size = (inputs[0].shape[0], self.out_features, self.in_features + self.bias)
        return torch.Size(size), torch.bool

    def init_states(self, *inputs: Given) -> Tensors:
        """A fresh mask, with ``invariant``."""
        return (self._mask(inputs[0]),) if self.invariant else ()

    def step(self, *args: Tensor) -> Tensors:
        """``(x, mask) -> (y, mask)``."""
        x, mask = args
        weight = self.linear.weight * mask[..., : self.in_features]
        y = torch.einsum("noi,...ni->...no", weight, x)
        if self.bias:
            # Under autocast the sum is narrower than the bias, as in torch's linear layer.
            y = y + (self.linear.bias * mask[..., self.in_features]).to(y.dtype)
        return y, mask

    def sequence(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """All steps at once: the mask broadcasts over time."""
        return self.single(inputs, states)

    def forward(self, *inputs: Tensor) -> Any:
        """Masked in training, the mean over masks in evaluation."""
        (x,) = inputs
        self._check(x)
        if not self.training:
            return (1.0 - self.p) * self.linear(x)
        if self.invariant:
            return super().forward(x)
        if self.step_mode == "s":
            return self._afresh(x)[0]
        outputs, _, _ = unroll(self._afresh, (x,), (), 1)
        return outputs[0]

    def _mask(self, x: Given) -> Tensor:
        shape, _ = self.state_like("mask", x)
        return torch.rand(shape, device=x.device) >= self.p

    def _afresh(self, x: Tensor) -> Tensors:
        return self.step(x, self._mask(x))[:1]

    def _check(self, x: Tensor) -> None:
        lead = "[N" if self.step_mode == "s" else "[T, N"
        if x.dim() != (2 if self.step_mode == "s" else 3) or x.shape[-1] != self.in_features:
            raise ValueError(
                f"{locate(self)} is in step_mode {self.step_mode!r} and takes "
                f"{lead}, {self.in_features}], got {list(x.shape)}"
            )

    def extra_repr(self) -> str:
        """The probability, and whether the mask is kept."""
        return f"p={self.p}, invariant={self.invariant}, step_mode={self.step_mode!r}"
