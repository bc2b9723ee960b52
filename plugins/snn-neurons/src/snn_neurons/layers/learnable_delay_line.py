"""What learnable delays share: positions, width, and the change to integers."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from snn_neurons.layers.delay_kernel import SHARP, DelayKernel, integer_kernel, smooth_kernel
from snn_neurons.layers.delay_line import DelayLine
from snncore.step import StepMode


class LearnableDelayLine(DelayLine):
    """Holds one learnable delay for each of ``shape``.

    Args:
        shape: of the delays.
        max_delay: the longest delay in steps, >= 1.
        sigma: width of the kernels in steps to start from; None for max_delay / 2.
        kernel: "gaussian" or "linear".
        step_mode: "s" or "m".
    Raises: ValueError when max_delay < 1, sigma leaves its range, or the kernel is another word.
    """

    sigma: Tensor

    def __init__(
        self,
        shape: tuple[int, ...],
        max_delay: int,
        sigma: float | None,
        kernel: DelayKernel,
        step_mode: StepMode,
    ) -> None:
        super().__init__(max_delay, step_mode)
        name = type(self).__name__
        if max_delay < 1:
            raise ValueError(f"{name}: max_delay must be >= 1, got {max_delay}")
        if kernel not in ("gaussian", "linear"):
            raise ValueError(f"{name}: kernel must be 'gaussian' or 'linear', got {kernel!r}")
        start = max_delay / 2 if sigma is None else float(sigma)
        if start < 0 or (start == 0 and kernel == "gaussian"):
            least = "> 0" if kernel == "gaussian" else ">= 0"
            raise ValueError(f"{name}: sigma must be {least}, got {start:g}")
        self.max_delay = max_delay
        self.kernel: DelayKernel = kernel
        self.start = start
        # A buffer: a resumed run goes on with the width that it had.
        self.register_buffer("sigma", torch.tensor(start))
        self.delay = nn.Parameter(max_delay * torch.rand(shape))

    def anneal(self, done: float, *, last: float = SHARP) -> None:
        """Narrows the kernels in proportion, from the first width to ``last``.

        Args:
            done: share of the annealing that is over; taken as 0 below 0, as 1 above 1.
            last: width at the end, > 0.
        Raises: ValueError for ``last`` <= 0.
        """
        if last <= 0:
            raise ValueError(f"{type(self).__name__}: the last sigma must be > 0, got {last:g}")
        share = min(max(done, 0.0), 1.0)
        self.sigma.fill_(self.start ** (1.0 - share) * last**share)

    def kernels(self) -> Tensor:
        """Weights of the delays 0 .. max_delay, ``[*delay.shape, max_delay + 1]``.

        In training around the delays, in evaluation at the nearest integers.
        """
        if self.training:
            return smooth_kernel(self.delay, self.sigma, self.max_delay, self.kernel)
        return integer_kernel(self.delay, self.max_delay)

    def extra_repr(self) -> str:
        """Longest delay, width and kernel."""
        shape = ", ".join(map(str, cast("Tensor", self.delay).shape))
        width = f"max_delay={self.max_delay}, sigma={float(self.sigma):.4g}"
        return f"{shape}, {width}, kernel={self.kernel!r}, step_mode={self.step_mode!r}"
