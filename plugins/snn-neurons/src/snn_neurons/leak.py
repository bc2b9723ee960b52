"""The Euler step of the leaky membrane that LIF and ALIF share."""

from __future__ import annotations

from torch import Tensor


def leaky(
    x: Tensor,
    v: Tensor,
    *,
    tau: float | Tensor,
    rest: float | Tensor | None,
    decay_input: bool,
) -> Tensor:
    """H = V + (X - (V - V_rest)) / tau  or  V - (V - V_rest) / tau + X; V_rest None is 0."""
    leak = v if rest is None else v - rest
    if decay_input:
        return v + (x - leak) / tau
    return v - leak / tau + x
