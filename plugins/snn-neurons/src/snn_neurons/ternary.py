"""How neurons with spikes of both signs fire and reset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from snncore.neuron import Neuron


class Ternary(Neuron):
    """A neuron that fires 1 above its threshold and -1 below the opposite one.

    p = Theta(H - V_th);  m = Theta(-H - V_th);  S = p - m;
    V = (1 - p - m) H + (p + m) V_reset  (hard)  or  H - S V_th  (soft)

    Args: as :class:`snncore.Neuron`; V_th > 0, which the constructors of subclasses annotate.
    Shape: as :class:`snncore.Neuron`; spikes are -1, 0 and 1.
    Source: Guo et al., Ternary spike: learning ternary spikes for spiking neural networks, AAAI
        2024.
    """

    conformance: ClassVar[Mapping[str, Any]] = {"spike_values": (-1.0, 0.0, 1.0)}

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v) -> (spike, v)``."""
        x, v = args
        h = self.charge(x, v)
        p, m = self.fire(h), self.fire(-h)
        s = p - m
        return s, self.reset(h, s if self.v_reset is None else p + m)
