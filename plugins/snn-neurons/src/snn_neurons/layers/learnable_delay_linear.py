"""A linear layer with a learnable delay on each synapse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt
from torch import Tensor, nn

from snn_neurons.layers.delay_kernel import DelayKernel, delayed
from snn_neurons.layers.learnable_delay_line import LearnableDelayLine
from snncore.step import StepMode, locate


class LearnableDelayLinear(LearnableDelayLine):
    """A linear layer whose every weight comes with a delay of its own; both are learnt.

    training: Y_o[t] = sum_i W_oi sum_k K_oi[k] X_i[t - k] + b_o, K_oi around the delay d_oi with
    width sigma and sum 1; evaluation: Y_o[t] = sum_i W_oi X_i[t - round(d_oi)] + b_o.
    X[t] = 0 for t < 0

    Start with a wide kernel and narrow it while training: call ``anneal(done)`` each epoch.

    Args:
        in_features, out_features: sizes of the last axis.
        max_delay: the longest delay in steps, >= 1; delays start uniform in [0, max_delay].
        bias: whether there is a bias.
        sigma: width of the kernels in steps to start from; None for max_delay / 2.
        kernel: "gaussian" or "linear", as in :class:`LearnableDelay`.
        step_mode: "s" or "m".
    Shape: x [N, in_features] or [T, N, in_features]; output [..., out_features]; parameters
        ``linear.weight`` and ``delay`` [out_features, in_features]; state queue
        [max_delay, N, in_features], oldest first.
    Raises: ValueError for a range above or another shape; StateError when the queue does not fit
        the input.
    Example:
        >>> LearnableDelayLinear(4, 2, 10, step_mode="m")(torch.rand(20, 3, 4)).shape
        torch.Size([20, 3, 2])

    Source: Hammouamri et al., Learning delays in spiking neural networks using dilated convolutions
        with learnable spacings, ICLR 2024.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": (
            {"in_features": 4, "out_features": 3, "max_delay": 4, "sigma": 1.0},
            {
                "in_features": 4,
                "out_features": 3,
                "max_delay": 2,
                "bias": False,
                "sigma": 0.5,
                "kernel": "linear",
            },
        ),
        "shape": (4,),
    }

    def __init__(
        self,
        in_features: Annotated[int, Gt(0)],
        out_features: Annotated[int, Gt(0)],
        max_delay: Annotated[int, Gt(0)],
        *,
        bias: bool = True,
        sigma: Annotated[float, Ge(0)] | None = None,
        kernel: DelayKernel = "gaussian",
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__((out_features, in_features), max_delay, sigma, kernel, step_mode)
        self.in_features = in_features
        self.out_features = out_features
        self.bias = bias
        self.linear = nn.Linear(in_features, out_features, bias=bias)

    def read(self, line: Tensor, steps: int) -> Tensor:
        """A convolution over time from all inputs to all outputs."""
        if line.dim() != 3 or line.shape[2] != self.in_features:
            raise ValueError(
                f"{locate(self)} takes [..., N, {self.in_features}], got [N, *] = "
                f"{list(line.shape[1:])}"
            )
        y = delayed(line, self.linear.weight.unsqueeze(-1) * self.kernels())
        return y + self.linear.bias.to(y.dtype) if self.bias else y
