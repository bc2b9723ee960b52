"""A neuron that looks at its last inputs instead of at a potential."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from snncore.numeric import NumericModule
from snncore.state import MemoryModule
from snncore.state.unroll import Given, arithmetic
from snncore.step import StepMode
from snncore.surrogate import Surrogate, as_surrogate


class Window(NumericModule, MemoryModule):
    """S[t] = Theta(H[t]), H[t] a weighted sum of X[t-k+1] ... X[t], with a missing past of 0.

    A subclass writes :meth:`weigh`. The past is the state ``queue``, [N, k-1, *].

    Args:
        k: how many inputs it looks at, >= 1.
        surrogate: spike function.
        step_mode: "s" or "m".
    Shape: x [N, *] or [T, N, *]; spikes like x.
    """

    states: ClassVar[Mapping[str, float]] = {"queue": 0.0}

    def __init__(
        self, *, k: int, surrogate: Surrogate | str | dict[str, Any], step_mode: StepMode
    ) -> None:
        super().__init__()
        if k < 1:
            raise ValueError(f"{type(self).__name__}: k must be >= 1, got {k}")
        self.k = k
        self.surrogate = as_surrogate(surrogate)
        self.step_mode = step_mode

    def weigh(self, x: Tensor, steps: int, states: tuple[Tensor, ...]) -> Tensor:
        """H of the last ``steps`` of ``k - 1 + steps`` inputs.

        Args:
            x: [k - 1 + steps, F], the past first.
            steps: how many are new.
            states: as before the call.
        """
        raise TypeError(f"{type(self).__name__} must define weigh(x, steps, states)")

    def state_like(self, name: str, *inputs: Given) -> tuple[torch.Size, torch.dtype]:
        """The queue has the last k - 1 inputs behind the batch axis."""
        shape, dtype = super().state_like(name, *inputs)
        if name == "queue":
            shape = torch.Size((*shape[:1], self.k - 1, *shape[1:]))
        return shape, dtype

    def single(
        self, inputs: tuple[Tensor, ...], states: tuple[Tensor, ...]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """One step, as a sequence of one."""
        outputs, states = self.sequence(tuple(x.unsqueeze(0) for x in inputs), states)
        return tuple(y.squeeze(0) for y in outputs), states

    def sequence(
        self, inputs: tuple[Tensor, ...], states: tuple[Tensor, ...]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """All steps in parallel, in float32 or float64 arithmetic."""
        (x,) = inputs
        queue, *others = states
        seen = torch.cat((queue.transpose(0, 1), x.to(arithmetic(x.dtype))))
        h = self.weigh(seen.flatten(1), len(x), states).view(x.shape)
        queue = seen[len(seen) - self.k + 1 :].transpose(0, 1).contiguous()
        return (self.surrogate(h).to(x.dtype),), (queue, *(s + len(x) for s in others))
