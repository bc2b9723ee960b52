"""The leaky integrate-and-fire neuron with a noisy membrane."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt
from torch import Tensor

from snn_neurons.draws import Draws
from snn_neurons.lif import LIF
from snncore.config import Numeric
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class NoisyLIF(LIF):
    """Leaky integrate-and-fire neuron with Gaussian noise on its membrane.

    H = V + (X - (V - V_r)) / tau + sigma xi  (``decay_input``)
    or  V - (V - V_r) / tau + X + sigma xi,  xi ~ N(0, 1);
    S = Theta(H - V_th);  V = (1 - S) H + S V_r

    Without input and threshold V goes to a standard deviation of
    sigma / sqrt(1 - (1 - 1/tau)^2). ``net(x)`` draws xi; ``net(x, xi)`` takes it as given.

    Args:
        tau: membrane time constant in steps, > 1.
        sigma: standard deviation of the noise of one step, >= 0.
        seed: draws come from a generator of this neuron with this seed; None takes torch's own.
        v_threshold: threshold V_th.
        v_reset: reset and resting value V_r; None for soft reset V = H - S V_th with V_r = 0.
        decay_input: whether the input is divided by tau as well; the noise never is.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m"; both draw the same numbers.
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; xi broadcasts against x; spikes like x; state v [N, *], float32.
    Raises: ValueError if tau <= 1 or sigma < 0; StateError when the held state does not fit the
        input.
    Example:
        >>> x = torch.full((1000, 1), 0.5)
        >>> 0 < NoisyLIF(sigma=0.5, seed=0, step_mode="m")(x).mean().item() < 0.5
        True

    Source: Gerstner, Kistler, Naud and Paninski, Neuronal Dynamics, Cambridge 2014, section 8.1.
    """

    inputs: ClassVar[int] = 2
    sigma: float | Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        sigma: Annotated[Numeric, Ge(0)] = 0.1,
        seed: int | None = None,
        v_threshold: Numeric = 1.0,
        v_reset: Numeric | None = 0.0,
        decay_input: bool = True,
        detach_reset: bool = False,
        surrogate: Surrogate | str | dict[str, Any] = "atan",
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
        self.set_numeric("sigma", sigma)
        self.draws = Draws(seed)

    @property
    def seed(self) -> int | None:
        """The seed of the draws."""
        return self.draws.seed

    def forward(self, *inputs: Tensor) -> Any:
        """Spikes for x, with noise of its own where none is given."""
        if len(inputs) == 1:
            inputs = (*inputs, self.draws.normal(inputs[0], self.step_mode))
        return super().forward(*inputs)

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, xi, v) -> (spike, v)``."""
        x, xi, v = args
        h = self.charge(x, v) + self.sigma * xi
        s = self.fire(h)
        return s, self.reset(h, s)
