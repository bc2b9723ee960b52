"""The leaky neuron that fires by chance, more likely the higher its potential."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor

from snn_neurons.draws import Draws
from snn_neurons.lif import LIF
from snncore.config import Numeric
from snncore.step import StepMode
from snncore.surrogate import Surrogate

# e^30 spikes per step are certainty, and squares of it are still finite.
_CERTAIN = 30.0


class EscapeRate(LIF):
    """Leaky neuron with escape noise: a spike is drawn with a probability that grows with H.

    H = V + (X - (V - V_r)) / tau  (``decay_input``)  or  V - (V - V_r) / tau + X;
    p = 1 - exp(-rate e^((H - V_th) / delta));  S = 1[u <= p],  u uniform in (0, 1];
    V = (1 - S) H + S V_r

    p is the probability of a spike within one step at an instantaneous rate of
    rate e^((H - V_th) / delta). As S = Theta(p - u), the gradient is d(p - u) dp/dH with d the
    derivative of the surrogate; by default d = 1, so that the gradient of S is that of its mean.
    ``net(x)`` draws u; ``net(x, u)`` takes it as given.

    Args:
        tau: membrane time constant in steps, > 1.
        delta: width of the escape region in units of the threshold, > 0; towards 0 it is LIF.
        rate: spikes per step at the threshold, > 0.
        seed: draws come from a generator of this neuron with this seed; None takes torch's own.
        v_threshold: threshold V_th.
        v_reset: reset and resting value V_r; None for soft reset V = H - S V_th with V_r = 0.
        decay_input: whether the input is divided by tau as well.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function of p - u.
        step_mode: "s" or "m"; both draw the same numbers.
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; u broadcasts against x; spikes like x; state v [N, *], float32.
    Raises: ValueError if tau, delta or rate leaves its range; StateError when the held state does
        not fit the input.
    Example:
        >>> net = EscapeRate(v_reset=None)
        >>> x, u = torch.full((1, 2), 2.0), torch.tensor([[0.6, 0.7]])
        >>> net(x, u).tolist()  # H = V_th, and 1 - 1/e is 0.632
        [[1.0, 0.0]]

    Source: Gerstner, Kistler, Naud and Paninski, Neuronal Dynamics, Cambridge 2014, section 9.1.
    """

    inputs: ClassVar[int] = 2
    delta: float | Tensor
    rate: float | Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        delta: Annotated[Numeric, Gt(0)] = 0.25,
        rate: Annotated[Numeric, Gt(0)] = 1.0,
        seed: int | None = None,
        v_threshold: Numeric = 1.0,
        v_reset: Numeric | None = 0.0,
        decay_input: bool = True,
        detach_reset: bool = False,
        surrogate: Surrogate | str | dict[str, Any] = "deterministic_pass",
        step_mode: StepMode = "s",
        store_v_seq: bool = False,
        backend: str | None = None,
    ) -> None:
        super().__init__(
            tau,
            v_threshold=v_threshold,
            v_reset=v_reset,
            decay_input=decay_input,
            detach_reset=detach_reset,
            surrogate=surrogate,
            step_mode=step_mode,
            store_v_seq=store_v_seq,
            backend=backend,
        )
        self.set_numeric("delta", delta)
        self.set_numeric("rate", rate)
        self.draws = Draws(seed)

    @property
    def seed(self) -> int | None:
        """The seed of the draws."""
        return self.draws.seed

    def probability(self, h: Tensor) -> Tensor:
        """p, of a spike in a step that charges the membrane to ``h``."""
        above = ((h - self.v_threshold) / self.delta).clamp_max(_CERTAIN)
        return -torch.expm1(-self.rate * torch.exp(above))

    def forward(self, *inputs: Tensor) -> Any:
        """Spikes for x, by chance of its own where no u is given."""
        if len(inputs) == 1:
            # In (0, 1], as u = 0 would fire at p = 0.
            inputs = (*inputs, 1.0 - self.draws.uniform(inputs[0], self.step_mode))
        return super().forward(*inputs)

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, u, v) -> (spike, v)``."""
        x, u, v = args
        h = self.charge(x, v)
        s = self.surrogate(self.probability(h) - u)
        return s, self.reset(h, s)
