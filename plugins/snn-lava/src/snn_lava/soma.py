"""The chip's neuron with its 24 bits, for simulation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from snn_lava.cuba import LoihiCUBA
from snn_lava.grid import DECAY_ONE, STATE_LIMIT, STATE_UNIT, WEIGHT_UNIT
from snn_lava.program import Integers, Neurons

_LIMIT = STATE_LIMIT / STATE_UNIT
# Beyond it a product of a state and a decay would leave 32 bits.
_REACH = (1 << 29) / STATE_UNIT


class Soma(LoihiCUBA):
    """Loihi's neuron in 24 bits: the current wraps, the potential saturates.

    U <- wrap(trunc(U (4096 - D_u) / 4096) + 64 Z);
    V <- clamp(trunc(V (4096 - D_v) / 4096) + U + 64 B, -M + 1, M - 1);
    S = 1 where V > 64 vThMant, else 0;  V = 0 where S = 1;  M = 2^23

    wrap adds or subtracts 2 M once, where U > M or U <= -M. Wraps and saturations are counted.

    Args:
        neurons: its integers.
        axes: of one sample of its input; numbers per channel belong to the first.
    Shape: x = Z / 64 [N, *] or [T, N, *]; spikes like x, or with graded spikes trunc(V / 64) / 64
        where S = 1; states [N, *].

    Source: Davies et al., Loihi: a neuromorphic manycore processor with on-chip learning, IEEE
        Micro 2018; lava-nc 0.10, proc/lif/models.py, the bit-accurate model.
    """

    states: ClassVar[Mapping[str, float]] = {
        "v": 0.0,
        "u": 0.0,
        "wraps": 0.0,
        "saturations": 0.0,
        "escapes": 0.0,
    }
    bias: Tensor

    def __init__(self, neurons: Neurons, axes: int, *, step_mode: Literal["s", "m"] = "m") -> None:
        super().__init__(
            _per_channel(neurons.current_decay, axes) / DECAY_ONE,
            voltage_decay=_per_channel(neurons.voltage_decay, axes) / DECAY_ONE,
            v_threshold=neurons.threshold / WEIGHT_UNIT,
            step_mode=step_mode,
        )
        self.graded = neurons.graded
        bias = 0 if neurons.bias is None else neurons.bias
        self.set_numeric("bias", _per_channel(bias, axes) / WEIGHT_UNIT)

    def charged(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, u, *counts) -> (spike, v before reset, u, *counts)``."""
        x, v, u, wraps, saturations, escapes = args
        u = self.leak(u, self.current_decay) + x
        high, low = u > _LIMIT, u <= -_LIMIT
        u = torch.where(high, u - 2 * _LIMIT, torch.where(low, u + 2 * _LIMIT, u))
        v = self.leak(v, self.voltage_decay) + u + self.bias
        most = _LIMIT - 1 / STATE_UNIT
        over = v.abs() > most
        v = v.clamp(-most, most)
        s = (v > self.mantissa / WEIGHT_UNIT).to(v.dtype)
        return (
            s,
            v,
            u,
            wraps + (high | low).to(v.dtype),
            saturations + over.to(v.dtype),
            escapes + (u.abs() > _REACH).to(v.dtype),
        )

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, u, *counts) -> (spike, v, u, *counts)``."""
        s, v, *rest = self.charged(*args)
        return self._sent(s, v), torch.where(s > 0, 0.0, v), *rest

    def count(self, name: str) -> int:
        """How often a counter counted since the last reset."""
        return int(getattr(self, name).sum())

    def _sent(self, s: Tensor, v: Tensor) -> Tensor:
        if not self.graded:
            return s
        return s * torch.trunc(v * WEIGHT_UNIT) / WEIGHT_UNIT


class RecordedSoma(Soma):
    """The same; it also gives v before the reset, and u."""

    outputs: ClassVar[int] = 3

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, u, *counts) -> (spike, v before reset, u, v, u, *counts)``."""
        s, v, u, *counts = self.charged(*args)
        return self._sent(s, v), v, u, torch.where(s > 0, 0.0, v), u, *counts


def _per_channel(integers: Integers | int, axes: int) -> Any:
    tensor = torch.as_tensor(integers, dtype=torch.float64)
    # One shape for numbers of a layer and of channels, so that one kernel serves both.
    return tensor.reshape(-1, *[1] * (axes - 1))
