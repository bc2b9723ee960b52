"""The leaky integrate-and-fire neuron on an integer grid."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from snncore.config import Numeric
from snncore.neuron import Neuron
from snncore.quantize import multiply_shift, rounded, saturate, whole
from snncore.step import StepMode
from snncore.surrogate import Surrogate

DECAY_BITS = 12


class QuantizedLIF(Neuron):
    """Leaky integrate-and-fire neuron that computes in fixed point.

    Whole numbers n = 2^f V of b bits, in two's complement; k = 4096 - round(4096 / tau):
    h = saturate(sign(n) (|n| k >> 12) + round(2^f X));  S = Theta(h - round(2^f V_th));
    n = (1 - S) h + S round(2^f V_r)

    V leaks toward 0, as on chips. It is given and recorded as V = n / 2^f, which floats hold
    exactly. Rounding is ignored by the backward: gradients are those of the neuron in floats,
    clipped where h saturates.

    Args:
        tau: membrane time constant in steps, > 1; the decay is a whole number of 12 bits.
        bits: b, of the state, from 4 to 24.
        fraction_bits: f, of them after the point, from 0 to b - 2.
        v_threshold: threshold V_th, rounded to the grid.
        v_reset: reset value V_r, rounded to the grid; None for soft reset V = H - S V_th.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; state v [N, *], float32.
    Raises: ValueError if tau <= 1, bits or fraction_bits is out of range, or the grid does not
        reach v_threshold or v_reset; StateError when the held state does not fit the input.
    Example:
        >>> neuron = QuantizedLIF(bits=8, fraction_bits=4, v_reset=None, step_mode="m")
        >>> neuron(torch.full((3, 1, 1), 0.7)).flatten().tolist(), neuron.v.item()
        ([0.0, 1.0, 0.0], 0.6875)

    Source: Davies et al., Loihi: a neuromorphic manycore processor with on-chip learning, IEEE
        Micro 2018, in fixed point; SpikingJelly (Science Advances 2023), Eq. 4-7 in floats.
    """

    conformance: ClassVar[dict[str, object]] = {
        "variants": ({}, {"v_reset": None}, {"bits": 6, "fraction_bits": 3}),
        "smooth": False,
        "reason": "it rounds in the forward, and the backward ignores that on purpose",
    }
    tau: float | Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        bits: Annotated[int, Ge(4), Le(24)] = 16,
        fraction_bits: Annotated[int, Ge(0), Le(22)] = 8,
        v_threshold: Numeric = 1.0,
        v_reset: Numeric | None = 0.0,
        detach_reset: bool = False,
        surrogate: Surrogate | str | dict[str, Any] = "atan",
        step_mode: StepMode = "s",
        store_v_seq: bool = False,
        backend: str | None = None,
    ) -> None:
        super().__init__(
            v_threshold=v_threshold,
            v_reset=v_reset,
            detach_reset=detach_reset,
            surrogate=surrogate,
            step_mode=step_mode,
            store_v_seq=store_v_seq,
            backend=backend,
        )
        self.set_numeric("tau", tau)
        if not 4 <= bits <= 24:
            raise ValueError(f"QuantizedLIF: bits must be from 4 to 24, got {bits}")
        if not 0 <= fraction_bits <= bits - 2:
            raise ValueError(
                f"QuantizedLIF: fraction_bits must be from 0 to {bits - 2}, which is bits - 2, "
                f"got {fraction_bits}"
            )
        self.bits = bits
        self.fraction_bits = fraction_bits
        self._check_reach("v_threshold")
        self._check_reach("v_reset")

    def _check_reach(self, name: str) -> None:
        value = getattr(self, name)
        limit = 2.0 ** (self.bits - 1 - self.fraction_bits) - 2.0**-self.fraction_bits
        if value is not None and (torch.as_tensor(value).abs() > limit).any():
            raise ValueError(
                f"QuantizedLIF: {name} must lie within +-{limit:g}, the reach of {self.bits} bits "
                f"with {self.fraction_bits} after the point; take more bits or fewer after it"
            )

    @property
    def _unit(self) -> float:
        """Steps of the grid in 1."""
        return 2.0**self.fraction_bits

    def _on_grid(self, value: float | Tensor) -> float | Tensor:
        return whole(value * self._unit) / self._unit

    def initial(self, name: str) -> float | Tensor:
        """V starts at ``v_reset`` on the grid, at 0 with soft reset."""
        if name == "v" and self.v_reset is not None:
            return self._on_grid(self.v_reset)
        return super().initial(name)

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        full = 2.0**DECAY_BITS
        kept = multiply_shift(v * self._unit, full - whole(full / self.tau), DECAY_BITS)
        return saturate(kept + rounded(x * self._unit), self.bits) / self._unit

    def fire(self, h: Tensor) -> Tensor:
        """S = Theta(H - V_th), V_th on the grid."""
        return self.surrogate(h - self._on_grid(self.v_threshold))

    def reset(self, h: Tensor, s: Tensor) -> Tensor:
        """The potential after firing, V_r or V_th on the grid."""
        if self.detach_reset:
            s = s.detach()
        if self.v_reset is None:
            return h - s * self._on_grid(self.v_threshold)
        return s * self._on_grid(self.v_reset) + (1.0 - s) * h

    def extra_repr(self) -> str:
        """The format too."""
        return f"bits={self.bits}, fraction_bits={self.fraction_bits}, {super().extra_repr()}"
