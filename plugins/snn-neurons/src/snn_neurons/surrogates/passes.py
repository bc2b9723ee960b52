"""Surrogates that pass the gradient on as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor

from snn_neurons.chance import fires
from snncore.quantize.multi_level import spike_count
from snncore.surrogate import Surrogate


class DeterministicPass(Surrogate):
    """A Heaviside step whose gradient passes unchanged.

    d(x) = 1; primitive x

    Args:
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Example:
        >>> DeterministicPass()(torch.tensor([-0.5, 0.0, 3.0])).tolist()
        [0.0, 1.0, 1.0]

    Source: Tang et al., Deep reinforcement learning with population-coded spiking neural network
        for continuous control, CoRL 2020; SpikingJelly (Science Advances 2023).
    """

    def __init__(self, *, spiking: bool = True) -> None:
        super().__init__(spiking=spiking)

    def derivative(self, x: Tensor) -> Tensor:
        return torch.ones_like(x)

    def primitive(self, x: Tensor) -> Tensor:
        return x.clone()


class PoissonPass(Surrogate):
    """Random spikes with the value as probability; their gradient passes unchanged.

    S = 1[r <= x], r uniform in [0, 1); d(x) = 1; primitive x, the mean of S in [0, 1]

    Below 0 it never fires, from 1 on always. Each call draws anew from torch's own generator, so
    ``torch.manual_seed`` repeats a run. No kernel draws: a neuron with this surrogate runs on the
    eager backend, and asking for another raises. To have random spikes from a kernel, give the
    neuron the draw as a further input (see :class:`snncore.Neuron`).

    Args:
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Example:
        >>> PoissonPass()(torch.tensor([-0.5, 1.0])).tolist()
        [0.0, 1.0]

    Source: Tang et al., Deep reinforcement learning with population-coded spiking neural network
        for continuous control, CoRL 2020; SpikingJelly (Science Advances 2023).
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "heaviside": False,
        "deterministic": False,
        "reason": "spikes are drawn, with the value as probability",
    }

    def __init__(self, *, spiking: bool = True) -> None:
        super().__init__(spiking=spiking)

    def spike(self, x: Tensor) -> Tensor:
        return fires(x)

    def derivative(self, x: Tensor) -> Tensor:
        return torch.ones_like(x)

    def primitive(self, x: Tensor) -> Tensor:
        return x.clone()


class MultiLevelSpikeCount(Surrogate):
    """Several spikes at once: the value rounded to a count.

    S = round(clamp(x, 0, D)), half to even; d(x) = 1 for low <= x <= high, else 0;
    primitive clamp(x, low, high)

    Args:
        D: largest count, >= 1.
        low: where the window begins in which the gradient passes.
        high: where it ends; None for D.
        spiking: see :class:`snncore.Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Raises: ValueError if D < 1 or the window is empty.
    Example:
        >>> MultiLevelSpikeCount(4)(torch.tensor([-1.0, 1.4, 9.0])).tolist()
        [0.0, 1.0, 4.0]

    Source: Luo et al., Integer-valued training and spike-driven inference spiking neural network
        for high-performance and energy-efficient object detection, ECCV 2024; SpikingJelly.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "heaviside": False,
        "kinks": (0.0,),
        "reason": "the forward counts up to D",
    }

    def __init__(
        self,
        D: Annotated[int, Gt(0)] = 4,
        *,
        low: float = 0.0,
        high: float | None = None,
        spiking: bool = True,
    ) -> None:
        super().__init__(spiking=spiking)
        if D < 1:
            raise ValueError(f"MultiLevelSpikeCount: D must be >= 1, got {D}")
        self.D = D
        self.low = low
        self.high = high
        if not low < self._end():
            raise ValueError(
                f"MultiLevelSpikeCount: low must be < high, got {low:g} and {self._end():g}"
            )

    def spike(self, x: Tensor) -> Tensor:
        return spike_count(x, self.D)

    def derivative(self, x: Tensor) -> Tensor:
        return ((x >= self.low) & (x <= self._end())).to(x.dtype)

    def primitive(self, x: Tensor) -> Tensor:
        return x.clamp(self.low, self._end())

    def _end(self) -> float:
        return float(self.D) if self.high is None else self.high
