"""The leaky integrate-and-fire family by hand, in NumPy: forward, and backward through time.

Independent of PyTorch's autograd and of every kernel; the oracle of the tests of ``if``, ``lif``
and ``plif``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LeakyGradients:
    """Gradients of inputs ``[T, N, *]``, initial state ``[N, *]``, leak and input factor."""

    x: Array
    v: Array
    leak: Array
    scale: Array


@dataclass
class Leaky:
    """H = V + scale X - leak (V - V_r);  S = Theta(H - V_th);  hard or soft reset.

    IF has leak 0 and scale 1; LIF leak 1/tau and scale 1/tau or 1; PLIF sigma(w) for 1/tau.

    Args:
        leak: factor of the decay towards V_r.
        scale: factor of the input.
        v_threshold: V_th.
        v_reset: V_r and the initial state; None for soft reset from 0, with V_r = 0.
        detach_reset: no gradient through S in the reset.
        derivative: of the surrogate, on NumPy arrays.
    Source: SpikingJelly (Science Advances 2023), Eq. 5-7 and 23-24.
    """

    leak: float | Array
    scale: float | Array
    derivative: Callable[[Array], Array]
    v_threshold: float = 1.0
    v_reset: float | None = 0.0
    detach_reset: bool = False
    _tape: list[tuple[Array, ...]] = field(default_factory=list[Any])

    def forward(self, x: Array) -> tuple[Array, Array]:
        """Spikes and potentials after each step, ``[T, N, *]`` each."""
        rest = self.v_reset or 0.0
        v = np.full(x.shape[1:], rest)
        self._tape = []
        spikes, potentials = [], []
        for now in x:
            before = v
            h = before + self.scale * now - self.leak * (before - rest)
            s = (h >= self.v_threshold).astype(np.float64)
            v = h - s * self.v_threshold if self.v_reset is None else (1 - s) * h + s * rest
            self._tape.append((now, before, h, s))
            spikes.append(s)
            potentials.append(v)
        return np.stack(spikes), np.stack(potentials)

    def backward(self, on_spikes: Array, on_v: Array) -> LeakyGradients:
        """Gradients of the last forward.

        Args:
            on_spikes: incoming on every spike, ``[T, N, *]``.
            on_v: incoming on the final potential, ``[N, *]``.
        """
        rest = self.v_reset or 0.0
        carry = on_v
        by_x = np.zeros_like(on_spikes)
        leak = scale = np.zeros_like(on_v)
        for t in reversed(range(len(self._tape))):
            now, before, h, s = self._tape[t]
            slope = self.derivative(h - self.v_threshold)
            through = 0.0 if self.detach_reset else slope
            if self.v_reset is None:
                rho = 1 - self.v_threshold * through
            else:
                rho = 1 - s + (rest - h) * through
            by_h = on_spikes[t] * slope + carry * rho
            by_x[t] = by_h * self.scale
            leak = leak - by_h * (before - rest)
            scale = scale + by_h * now
            carry = by_h * (1 - self.leak)
        return LeakyGradients(by_x, carry, leak, scale)
