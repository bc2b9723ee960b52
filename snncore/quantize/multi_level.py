"""Counts of spikes: whole numbers from 0 to a greatest one."""

from __future__ import annotations

from typing import Annotated, ClassVar

from annotated_types import Ge
from torch import Tensor

from snncore.quantize.quantizer import Quantizer, inside


def clipped(x: Tensor, levels: int) -> Tensor:
    """clamp(x, 0, D), which is what a count's gradient goes through: 1 for 0 <= x <= D."""
    return x.clamp(0.0, float(levels))


def spike_count(x: Tensor, levels: int) -> Tensor:
    """round(clamp(x, 0, D)), halves to even."""
    return clipped(x, levels).round()


class MultiLevelSpikeCount(Quantizer):
    """How many spikes a value stands for, up to D.

    Q(x) = round(clamp(x, 0, D)); dQ/dx = 1 for 0 <= x <= D, else 0

    Args:
        levels: D, the greatest count, >= 1.
    Shape: any, output like input.
    Raises: ValueError if levels < 1.
    Example:
        >>> MultiLevelSpikeCount(4)(torch.tensor([-1.0, 1.6, 9.0])).tolist()
        [0.0, 2.0, 4.0]

    Source: Luo et al., Integer-valued training and spike-driven inference spiking neural network
        for high-performance and energy-efficient object detection, ECCV 2024.
    """

    conformance: ClassVar[dict[str, object]] = {"domain": (-1.5, 5.5)}

    def __init__(self, levels: Annotated[int, Ge(1)] = 4) -> None:
        super().__init__()
        if levels < 1:
            raise ValueError(f"MultiLevelSpikeCount: levels must be >= 1, got {levels}")
        self.levels = levels

    @property
    def code_range(self) -> tuple[float, float]:
        return 0.0, float(self.levels)

    def relax(self, x: Tensor) -> Tensor:
        return clipped(x, self.levels)

    def encode(self, x: Tensor) -> Tensor:
        return spike_count(x, self.levels)

    def derivative(self, x: Tensor) -> Tensor:
        return inside(x, 0.0, float(self.levels))

    def extra_repr(self) -> str:
        """Levels."""
        return ", ".join(text for text in (f"levels={self.levels}", super().extra_repr()) if text)
