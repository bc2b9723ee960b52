"""The leaky neuron of online training: no gradient passes from one step to the next."""

from __future__ import annotations

from torch import Tensor

from snn_neurons.lif import LIF


class OnlineLIF(LIF):
    """Leaky integrate-and-fire neuron whose potential is detached at each step of training.

    The states that a call leaves have no graph, so every step may have a backward of its own. In
    eval mode it is LIF, gradient through time included.

    Args: as :class:`snn_neurons.LIF`.
    Shape: as :class:`snn_neurons.LIF`.
    """

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v) -> (spike, v)``."""
        x, v = args
        return super().step(x, v.detach() if self.training else v)

    def single(
        self, inputs: tuple[Tensor, ...], states: tuple[Tensor, ...]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """One step; in training, the states after it are detached."""
        outputs, states = super().single(inputs, states)
        return outputs, self._cut(states)

    def sequence(
        self, inputs: tuple[Tensor, ...], states: tuple[Tensor, ...]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """All steps; in training, the states after them are detached."""
        outputs, states = super().sequence(inputs, states)
        return outputs, self._cut(states)

    def _cut(self, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(state.detach() for state in states) if self.training else states
