"""How a membrane moves by itself: what stands beside the input under the time constant."""

from __future__ import annotations

import torch
from torch import Tensor


def quadratic(
    v: Tensor, *, a0: float | Tensor, v_rest: float | Tensor, v_c: float | Tensor
) -> Tensor:
    """a0 (V - V_rest) (V - V_c), the drift of QIF and Izhikevich."""
    return a0 * (v - v_rest) * (v - v_c)


def exponential(
    v: Tensor, *, v_rest: float | Tensor, delta_t: float | Tensor, theta_rh: float | Tensor
) -> Tensor:
    """V_rest - V + D e^((V - theta_rh) / D), the drift of EIF and AdEx."""
    return v_rest - v + delta_t * torch.exp((v - theta_rh) / delta_t)
