"""Loihi's neuron, for training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Le
from torch import Tensor

from snn_lava.grid import (
    DECAY_BITS,
    DECAY_ONE,
    STATE_UNIT,
    THRESHOLDS,
    WEIGHT_UNIT,
    decay_integer,
    threshold_integer,
)
from snncore.config import Numeric
from snncore.neuron import Neuron
from snncore.quantize import multiply_shift
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class LoihiCUBA(Neuron):
    """Current-based leaky integrate-and-fire neuron in Loihi's integer arithmetic.

    U <- trunc(U (4096 - D_u) / 4096) + 4096 X;  V <- trunc(V (4096 - D_v) / 4096) + U;
    S = 1 where V > 64 floor(64 theta), else 0;  V = 0 where S = 1

    D_u and D_v are the decays times 4096, rounded. The threshold is strict, U is never reset, and
    trunc rounds toward zero. States are given and recorded in units of 1: u = U / 4096,
    v = V / 4096, which floats hold exactly. Backward, rounding is ignored. The range of 24 bits,
    where U wraps and V saturates, is the simulator's, which counts what leaves it.

    Args:
        current_decay: part of the current that is lost per step, in [0, 1]; 1 for none kept.
        voltage_decay: the same of the potential.
        v_threshold: theta, a number from 1/64 below 2048.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep v of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *], of weights on the chip's grid; spikes like x; states v and u
        [N, *], float32.
    Raises: ValueError if a decay leaves [0, 1] or the threshold is out of range; StateError when
        the held state does not fit the input.
    Example:
        >>> neuron = LoihiCUBA(0.25, voltage_decay=0.03, v_threshold=1.25, step_mode="m")
        >>> z = torch.tensor([30.0, 0, -46, 0, 254, 0, 0, -256]) / 64
        >>> neuron(z.view(8, 1)).flatten().tolist()
        [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0]
        >>> (4096 * neuron.u).item(), (4096 * neuron.v).item()
        (-9969.0, -9969.0)

    Source: Davies et al., Loihi: a neuromorphic manycore processor with on-chip learning, IEEE
        Micro 2018; lava-dl 0.6, slayer/neuron/cuba.py.
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0, "u": 0.0}
    conformance: ClassVar[dict[str, object]] = {
        "variants": ({}, {"current_decay": 1.0, "voltage_decay": 0.0}, {"v_threshold": 0.5}),
        "smooth": False,
        "reason": "it rounds in the forward, and the backward ignores that on purpose",
    }
    current_decay: float | Tensor
    voltage_decay: float | Tensor

    def __init__(
        self,
        current_decay: Annotated[Numeric, Ge(0), Le(1)] = 0.25,
        *,
        voltage_decay: Annotated[Numeric, Ge(0), Le(1)] = 0.03,
        v_threshold: Annotated[float, Ge(1 / 64)] = 1.0,
        surrogate: Surrogate | str | dict[str, Any] = "atan",
        step_mode: StepMode = "s",
        store_v_seq: bool = False,
        backend: str | None = None,
    ) -> None:
        super().__init__(
            v_threshold=v_threshold,
            v_reset=0.0,
            surrogate=surrogate,
            step_mode=step_mode,
            store_v_seq=store_v_seq,
            backend=backend,
        )
        self.set_numeric("current_decay", current_decay)
        self.set_numeric("voltage_decay", voltage_decay)
        self.mantissa = threshold_integer(v_threshold)
        if not THRESHOLDS.low <= self.mantissa <= THRESHOLDS.high:
            raise ValueError(
                f"LoihiCUBA: v_threshold must be from {THRESHOLDS.low / WEIGHT_UNIT:g} to "
                f"{THRESHOLDS.high / WEIGHT_UNIT:g}, got {v_threshold:g}; scale the weights before "
                "it by the same factor"
            )

    def leak(self, state: Tensor, decay: float | Tensor) -> Tensor:
        """trunc(Y (4096 - D) / 4096) of a state y = Y / 4096."""
        keep = DECAY_ONE - decay_integer(decay)
        return multiply_shift(state * STATE_UNIT, keep, DECAY_BITS) / STATE_UNIT

    def charged(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, u) -> (spike, v before reset, u)``."""
        x, v, u = args
        u = self.leak(u, self.current_decay) + x
        v = self.leak(v, self.voltage_decay) + u
        # The next value of the grid above the threshold is the first that fires.
        return self.surrogate(v - (self.mantissa / WEIGHT_UNIT + 1 / STATE_UNIT)), v, u

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, u) -> (spike, v, u)``."""
        s, v, u = self.charged(*args)
        return s, torch.where(s > 0, 0.0, v), u
