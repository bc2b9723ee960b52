"""The current-based leaky integrate-and-fire neuron."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le
from torch import Tensor

from snncore.config import Numeric
from snncore.neuron import Neuron
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class CubaLIF(Neuron):
    """Leaky integrate-and-fire neuron whose input charges a synaptic current I first.

    I <- c I + X;  H = d V + I;  S = Theta(H - V_th);  V = (1 - S) H + S V_reset

    The charge uses I from after its update. I starts at 0.

    Args:
        c_decay: factor c that I keeps per step, in [0, 1]; e^(-1/tau) for a time constant of tau
            steps.
        v_decay: factor d that V keeps per step, in [0, 1].
        v_threshold: threshold V_th.
        v_reset: reset value; None for soft reset V = H - S V_th.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; states v and i [N, *], float32.
    Raises: ValueError if c_decay or v_decay leaves [0, 1]; StateError when the held state does not
        fit the input.
    Example:
        >>> CubaLIF(step_mode="m")(0.3 * torch.ones(4, 1, 1)).flatten().tolist()
        [0.0, 1.0, 1.0, 1.0]

    Source: Davies et al., Loihi: a neuromorphic manycore processor with on-chip learning, IEEE
        Micro 2018; SpikingJelly (Science Advances 2023).
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0, "i": 0.0}
    c_decay: float | Tensor
    v_decay: float | Tensor

    def __init__(
        self,
        c_decay: Annotated[Numeric, Ge(0), Le(1)] = 0.5,
        *,
        v_decay: Annotated[Numeric, Ge(0), Le(1)] = 0.75,
        v_threshold: Numeric = 0.5,
        v_reset: Numeric | None = 0.0,
        detach_reset: bool = False,
        surrogate: Surrogate | str | dict[str, Any] = "rect",
        step_mode: StepMode = "s",
        store_v_seq: bool = False,
        backend: str | None = None,
    ) -> None:
        super().__init__(
            v_threshold=v_threshold,
            v_reset=v_reset,
            detach_reset=detach_reset,
            surrogate=surrogate,
            step_mode=step_mode,
            store_v_seq=store_v_seq,
            backend=backend,
        )
        self.set_numeric("c_decay", c_decay)
        self.set_numeric("v_decay", v_decay)

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        """The potential H before firing, from the synaptic current and the last V."""
        return self.v_decay * v + x

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, i) -> (spike, v, i)``."""
        x, v, i = args
        i = self.c_decay * i + x
        s, v = super().step(i, v)
        return s, v, i
