"""Random numbers that a component draws for itself, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from snncore.state import checkpointing
from snncore.state.unroll import arithmetic
from snncore.step import StepMode


class Draws(nn.Module):
    """Draws for the further input of a neuron, one time step after the other.

    A sequence gets the numbers that its single steps would get, in whatever chunks it comes. What
    ``torch.utils.checkpoint`` runs again gets the numbers of the first run. The generators are in
    the ``state_dict``; a copy starts from the seed again.

    Args:
        seed: of generators of its own, one for each device; None takes torch's own.
    Shape: draws like the input, float32 (float64 for float64 input).
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__()
        self.seed = seed
        self._generators: dict[torch.device, torch.Generator] = {}

    def normal(self, x: Tensor, mode: StepMode) -> Tensor:
        """Standard normal numbers, one for each element of ``x``."""
        return self._draw(Tensor.normal_, x, mode)

    def uniform(self, x: Tensor, mode: StepMode) -> Tensor:
        """Uniform numbers in [0, 1), one for each element of ``x``."""
        return self._draw(Tensor.uniform_, x, mode)

    @contextmanager
    def generator(self, device: torch.device) -> Generator[torch.Generator | None]:
        """What to draw from inside a ``with`` block; None is torch's own generator.

        Args:
            device: where the numbers are drawn.
        """
        own = self._own(device)
        region = None
        # torch's own generator is put back by checkpointing itself.
        if own is not None and not torch.compiler.is_compiling():
            region = checkpointing.region()
        if own is None or region is None:
            yield own
            return
        held: Mapping[str, Tensor] | None = region.states(self, {"generator": own.get_state()})
        if not region.replaying or held is None:
            yield own
            return
        again = torch.Generator(device)
        again.set_state(held["generator"])
        yield again
        region.keep(self, {"generator": again.get_state()})

    def get_extra_state(self) -> dict[str, Tensor]:
        """The states of the generators, so that a resumed run draws on."""
        return {str(device): g.get_state() for device, g in self._generators.items()}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Takes the states back."""
        for device, value in state.items():
            generator = self._own(torch.device(device))
            if generator is not None:
                generator.set_state(value)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_generators": {}}

    def _own(self, device: torch.device) -> torch.Generator | None:
        if self.seed is None:
            return None
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self.seed)
        return self._generators[device]

    def _draw(self, fill: Callable[..., Tensor], x: Tensor, mode: StepMode) -> Tensor:
        drawn = torch.empty(x.shape, dtype=arithmetic(x.dtype), device=x.device)
        with self.generator(x.device) as generator:
            if mode == "s" or x.dim() == 0:
                return fill(drawn, generator=generator)
            # At once, it would give other numbers than step by step.
            for t in range(x.shape[0]):
                fill(drawn[t], generator=generator)
        return drawn
