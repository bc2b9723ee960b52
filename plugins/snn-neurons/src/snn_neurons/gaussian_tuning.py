"""Times of spikes by Gaussian tuning curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor

from snn_neurons.latency import at_its_time
from snn_neurons.receptive_field import activity
from snn_neurons.unit_range import check_range
from snncore.config import Numeric
from snncore.numeric import NumericModule


class GaussianTuning(NumericModule):
    """One spike of each of m neurons, earlier where its tuning curve is higher.

    mu_i = x_min + (2 i - 3) (x_max - x_min) / (2 (m - 2)), i = 1 ... m;
    sigma = (x_max - x_min) / (1.5 (m - 2));  t_i = round(T (1 - exp(-((x - mu_i) / sigma)^2 / 2)))

    Rounding is half to even. A neuron whose time would be T stays silent.

    Args:
        T: number of time steps, >= 1.
        m: tuning curves for each value, >= 3.
        x_min: least value; a nested list or tensor gives one for each feature.
        x_max: greatest value, likewise.
    Shape: x [N, *] in [x_min, x_max]; output [T, N, *, m] of zeros and ones in the dtype of x.
    Raises: ValueError naming the range found, when x leaves [x_min, x_max]; if m < 3 or
        x_min >= x_max.
    Example:
        >>> GaussianTuning(4, m=3)(torch.tensor([[0.5]])).argmax(0).tolist()
        [[[3, 0, 3]]]

    Source: Bohte et al., Error-backpropagation in temporally encoded networks of spiking neurons,
        Neurocomputing 2002.
    """

    conformance: ClassVar[Mapping[str, Any]] = {"limits": (0.0, 1.0)}
    x_min: float | Tensor
    x_max: float | Tensor

    def __init__(
        self,
        T: Annotated[int, Gt(0)],
        *,
        m: Annotated[int, Gt(2)] = 8,
        x_min: Numeric = 0.0,
        x_max: Numeric = 1.0,
    ) -> None:
        super().__init__()
        if m < 3:
            raise ValueError(f"GaussianTuning: m must be >= 3, got {m}")
        self.T = T
        self.m = m
        self.set_numeric("x_min", x_min)
        self.set_numeric("x_max", x_max)
        low, high = torch.as_tensor(self.x_min), torch.as_tensor(self.x_max)
        if not bool((low < high).all()):
            raise ValueError(
                f"GaussianTuning: x_min must be < x_max, got {low.tolist()} and {high.tolist()}"
            )

    def forward(self, x: Tensor) -> Tensor:
        cure = "set x_min and x_max to the range of the data"
        check_range("GaussianTuning", x, self.x_min, self.x_max, cure)
        wide = x.detach().to(torch.promote_types(x.dtype, torch.float32))
        low = torch.as_tensor(self.x_min, dtype=wide.dtype, device=x.device).unsqueeze(-1)
        high = torch.as_tensor(self.x_max, dtype=wide.dtype, device=x.device).unsqueeze(-1)
        place = (2.0 * torch.arange(1, self.m + 1, device=x.device) - 3.0) / (2.0 * (self.m - 2))
        mu = low + place.to(wide.dtype) * (high - low)
        height = activity(wide, mu, (high - low) / (1.5 * (self.m - 2)))
        time = (self.T * (1.0 - height)).round()
        spikes, _ = at_its_time(time.expand(self.T, *time.shape))
        return spikes.to(x.dtype)
