"""Latency (time-to-first-spike) encoding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snn_neurons.unit_range import check_unit_range
from snncore.kernels import Kernel


def _at_its_time(time: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
    return (now == time).to(time.dtype), now + 1.0


# Comparing in torch writes flags for all steps, reads them again and writes floats.
at_its_time = Kernel(
    "at_its_time",
    inputs=("time",),
    states={"now": 0.0},
    outputs=("spike",),
    step="""
        spike = now == time ? 1.0 : 0.0;
        now = now + 1.0;
    """,
    reference=_at_its_time,
)


class Latency(nn.Module):
    """One spike per element, earlier for larger values.

    linear: t_f = round((T - 1) (1 - x));  log: t_f = round(T - 1 - ln(a x + 1)), a = e^(T-1) - 1

    Rounding is half to even.

    Args:
        T: number of time steps, >= 1.
        function: "linear" or "log"; "log" needs T <= 80, where a leaves float32.
    Shape: x [N, *] in [0, 1]; output [T, N, *] of zeros and ones in the dtype of x.
    Raises: ValueError naming the range found, when x leaves [0, 1], or for log with T > 80.
    Example:
        >>> Latency(3)(torch.tensor([[1.0, 0.0]])).tolist()
        [[[1.0, 0.0]], [[0.0, 0.0]], [[0.0, 1.0]]]

    Source: SpikingJelly (Science Advances 2023), Eq. 8-9.
    """

    conformance: ClassVar[Mapping[str, Any]] = {"limits": (0.0, 1.0)}

    def __init__(
        self, T: Annotated[int, Gt(0)], *, function: Literal["linear", "log"] = "linear"
    ) -> None:
        super().__init__()
        if function == "log" and T > 80:
            raise ValueError(f"Latency: function 'log' needs T <= 80, got {T}")
        self.T = T
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        check_unit_range("Latency", x)
        if self.function == "linear":
            time = ((self.T - 1) * (1.0 - x)).round()
        else:
            time = (self.T - 1 - torch.log(math.expm1(self.T - 1) * x + 1.0)).round()
        # A spike's time has no gradient.
        spikes, _ = at_its_time(time.detach().expand(self.T, *x.shape))
        return spikes.to(x.dtype)
