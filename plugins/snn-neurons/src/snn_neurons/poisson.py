"""Poisson rate encoding."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snn_neurons.unit_range import check_unit_range


class Poisson(nn.Module):
    """Random spikes whose probability per step is the value.

    S[t] = 1[r <= x], r uniform in [0, 1), drawn anew at every step and element

    Args:
        T: number of time steps, >= 1.
        seed: draws come from a generator of this encoder with this seed; None takes torch's own.
    Shape: x [N, *] in [0, 1]; output [T, N, *] of zeros and ones in the dtype of x.
    Raises: ValueError naming the range found, when x leaves [0, 1].
    Example:
        >>> Poisson(4)(torch.ones(2, 3)).sum().item()
        24.0

    Source: SpikingJelly (Science Advances 2023), Eq. 10-11.
    """

    def __init__(self, T: Annotated[int, Gt(0)], *, seed: int | None = None) -> None:
        super().__init__()
        self.T = T
        self.seed = seed
        self._generators: dict[torch.device, torch.Generator] = {}

    def forward(self, x: Tensor) -> Tensor:
        check_unit_range("Poisson", x)
        shape = (self.T, *x.shape)
        # In float32 at least: bfloat16 draws hit 0 so often that x = 0 would fire.
        wide = torch.promote_types(x.dtype, torch.float32)
        draws = torch.rand(shape, dtype=wide, device=x.device, generator=self._generator(x.device))
        return (draws <= x.to(wide)).to(x.dtype)

    def _generator(self, device: torch.device) -> torch.Generator | None:
        if self.seed is None:
            return None
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self.seed)
        return self._generators[device]

    def get_extra_state(self) -> dict[str, Tensor]:
        """The states of the generators, so that a resumed run draws on."""
        return {str(device): g.get_state() for device, g in self._generators.items()}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Takes the states back."""
        for device, value in state.items():
            generator = self._generator(torch.device(device))
            if generator is not None:
                generator.set_state(value)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_generators": {}}
