"""Random spikes with a given probability."""

from __future__ import annotations

import torch
from torch import Tensor


def fires(probability: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """S = 1[r <= p], r uniform in [0, 1), one draw for each element, in the dtype of p."""
    # In float32 at least: bfloat16 draws hit 0 so often that p = 0 would fire.
    wide = torch.promote_types(probability.dtype, torch.float32)
    draws = torch.rand(
        probability.shape, dtype=wide, device=probability.device, generator=generator
    )
    return (draws <= probability.to(wide)).to(probability.dtype)
