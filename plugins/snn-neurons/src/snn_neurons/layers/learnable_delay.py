"""A learnable delay for each channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt
from torch import Tensor

from snn_neurons.layers.delay_kernel import DelayKernel, delayed
from snn_neurons.layers.learnable_delay_line import LearnableDelayLine
from snncore.step import StepMode, locate


class LearnableDelay(LearnableDelayLine):
    """Delays each channel by a number of steps that is learnt.

    training: Y[t] = sum_k K[k] X[t - k], K around the delay d with width sigma and sum 1;
    evaluation: Y[t] = X[t - round(d)].  X[t] = 0 for t < 0

    Start with a wide kernel, which has gradients towards far delays, and narrow it while training:
    call ``anneal(done)`` each epoch. A narrow Gaussian is the integer delay that evaluation uses.

    Args:
        channels: number of channels C.
        max_delay: the longest delay in steps, >= 1; delays start uniform in [0, max_delay].
        sigma: width of the kernels in steps to start from; None for max_delay / 2.
        kernel: "gaussian", exp(-(k - d)^2 / (2 sigma^2)), or "linear", max(0, 1 + sigma - |k - d|),
            which at sigma = 0 interpolates between the two nearest steps.
        step_mode: "s" or "m".
    Shape: x [N, C, *] or [T, N, C, *]; output like x; parameter ``delay`` [C]; state queue
        [max_delay, N, C, *], oldest first.
    Raises: ValueError for a range above or another number of channels; StateError when the queue
        does not fit the input.
    Example:
        >>> net = LearnableDelay(1, 4, step_mode="m").eval()
        >>> _ = nn.init.constant_(net.delay, 1.8)
        >>> net(torch.arange(1.0, 6.0).view(5, 1, 1)).flatten().tolist()
        [0.0, 0.0, 1.0, 2.0, 3.0]

    Source: Khalfaoui-Hassani et al., Dilated convolution with learnable spacings, ICLR 2023;
        Hammouamri et al., Learning delays in spiking neural networks using dilated convolutions
        with learnable spacings, ICLR 2024.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": (
            {"channels": 3, "max_delay": 4, "sigma": 1.0},
            {"channels": 3, "max_delay": 2, "sigma": 0.5, "kernel": "linear"},
        ),
        "shape": (3, 2),
    }

    def __init__(
        self,
        channels: Annotated[int, Gt(0)],
        max_delay: Annotated[int, Gt(0)],
        *,
        sigma: Annotated[float, Ge(0)] | None = None,
        kernel: DelayKernel = "gaussian",
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__((channels,), max_delay, sigma, kernel, step_mode)
        self.channels = channels

    def read(self, line: Tensor, steps: int) -> Tensor:
        """Each channel by its kernel; what follows the channels goes into the batch."""
        if line.dim() < 3 or line.shape[2] != self.channels:
            raise ValueError(
                f"{locate(self)} takes [..., N, C, *] with C = {self.channels} channels, got "
                f"[N, C, *] = {list(line.shape[1:])}"
            )
        merged = line.flatten(3) if line.dim() > 3 else line.unsqueeze(-1)
        places = merged.shape[-1]
        flat = merged.transpose(2, 3).flatten(1, 2)
        y = delayed(flat, self.kernels().unsqueeze(1), self.channels)
        y = y.unflatten(1, (line.shape[1], places)).transpose(2, 3)
        return y.reshape(steps, *line.shape[1:])
