"""NeuNorm: each neuron is inhibited by the recent activity of all channels at its place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt, Lt
from torch import Tensor, nn

from snncore.kernels import FusedModule
from snncore.state.unroll import Tensors, arithmetic
from snncore.step import StepMode, StepModule, locate


class _Activity(FusedModule):
    """X <- k0 X + k1 sum_c S_c."""

    states: ClassVar[Mapping[str, float]] = {"x": 0.0}

    def __init__(self, k0: float, k1: float, *, backend: str | None) -> None:
        super().__init__(backend=backend)
        self.k0, self.k1 = k0, k1

    def step(self, *args: Tensor) -> Tensors:
        total, x = args
        x = self.k0 * x + self.k1 * total
        return x, x


class NeuNorm(StepModule):
    """Normalises spikes of a convolution by the recent activity across channels.

    X[t] = k X[t-1] + (1 - k) / C^2 sum_c S_c[t];  Y[t] = S[t] - w X[t]

    It follows the neurons: convolution -> neuron -> NeuNorm.

    Args:
        channels, height, width: of the input.
        k: decay of the activity X per step, in (0, 1).
        shared: one w for all channels.
        step_mode: "s" or "m".
        backend: kernel backend of the recurrence; None takes the fastest.
    Shape: s [N, C, H, W] or [T, N, C, H, W]; output like s; w [C, H, W], with ``shared``
        [1, H, W]; state ``activity.x`` [N, 1, H, W], float32.
    Raises: ValueError if k leaves (0, 1) or s has another shape; StateError when the held state
        does not fit the input.
    Example:
        >>> net = NeuNorm(2, 1, 1, step_mode="m")
        >>> _ = nn.init.ones_(net.w)
        >>> net(torch.ones(1, 1, 2, 1, 1)).flatten().tolist()
        [0.949999988079071, 0.949999988079071]

    Source: Wu et al., Direct training for spiking neural networks: faster, larger, better, AAAI
        2019.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": (
            {"channels": 3, "height": 2, "width": 4},
            {"channels": 3, "height": 2, "width": 4, "k": 0.5, "shared": True},
        ),
        "shape": (3, 2, 4),
    }

    def __init__(
        self,
        channels: Annotated[int, Gt(0)],
        height: Annotated[int, Gt(0)],
        width: Annotated[int, Gt(0)],
        *,
        k: Annotated[float, Gt(0), Lt(1)] = 0.9,
        shared: bool = False,
        step_mode: StepMode = "s",
        backend: str | None = None,
    ) -> None:
        super().__init__()
        if not 0.0 < k < 1.0:
            raise ValueError(f"NeuNorm: k must be > 0 and < 1, got {k:g}")
        self.channels, self.height, self.width = channels, height, width
        self.k = k
        self.shared = shared
        self.activity = _Activity(k, (1.0 - k) / channels**2, backend=backend)
        self.w = nn.Parameter(torch.empty(1 if shared else channels, height, width))
        nn.init.kaiming_uniform_(self.w, a=math.sqrt(5))
        self.step_mode = self.activity.step_mode = step_mode

    @property
    def backend(self) -> str | None:
        """Kernel backend of the recurrence."""
        return self.activity.backend

    def forward(self, s: Tensor) -> Tensor:
        """``[N, C, H, W]`` or ``[T, N, C, H, W]``, in and out."""
        wanted = (self.channels, self.height, self.width)
        if tuple(s.shape[-3:]) != wanted:
            raise ValueError(
                f"{locate(self)} takes [..., C, H, W] with {', '.join(map(str, wanted))}, got "
                f"{list(s.shape)}"
            )
        total = s.sum(-3, keepdim=True, dtype=arithmetic(s.dtype))
        return (s - self.w * self.activity(total)).to(s.dtype)

    def extra_repr(self) -> str:
        """Sizes and decay."""
        return f"{self.channels}, {self.height}, {self.width}, k={self.k}, shared={self.shared}"
