"""The resonate-and-fire neuron of Izhikevich."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Gt, Le
from torch import Tensor

from snn_neurons.rotation import rotation
from snncore.config import Numeric
from snncore.neuron import Neuron
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class ResonateAndFire(Neuron):
    """Resonate-and-fire neuron: a damped oscillator z = U + i V that jumps to a point as it fires.

    z' = (b + i omega) z + X;  S = Theta(V - V_th);  at a spike V = V_reset and U = U_reset

    One step of length dt is the exact solution for an X that is constant during it:
    z <- E z + X (E - 1) / (b + i omega) with E = e^((b + i omega) dt). An input thus moves V, and
    can make it fire, within its own step. z starts at 0, its rest.

    Args:
        b: damping, <= 0.
        omega: angular frequency, > 0, in radians per unit of time; period 2 pi / (omega dt) steps.
        dt: length of a step, > 0.
        v_threshold: threshold V_th of the imaginary part.
        v_reset: imaginary part after a spike.
        u_reset: real part after a spike.
        detach_reset: cut the gradient through S in the reset equations only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; states v and u [N, *], float32.
    Raises: ValueError if b, omega or dt leaves its range; StateError when the held state does not
        fit the input.
    Example:
        >>> ResonateAndFire(step_mode="m")(2 * torch.ones(4, 1, 1)).flatten().tolist()
        [0.0, 1.0, 1.0, 1.0]

    Source: Izhikevich, Resonate-and-fire neurons, Neural Networks 2001.
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0, "u": 0.0}
    b: float | Tensor
    omega: float | Tensor
    dt: float | Tensor
    u_reset: float | Tensor

    def __init__(
        self,
        b: Annotated[Numeric, Le(0)] = -0.2,
        *,
        omega: Annotated[Numeric, Gt(0)] = 1.0,
        dt: Annotated[Numeric, Gt(0)] = 1.0,
        v_threshold: Numeric = 1.0,
        v_reset: Numeric = 1.0,
        u_reset: Numeric = 0.0,
        detach_reset: bool = False,
        surrogate: Surrogate | str | dict[str, Any] = "atan",
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
        self.set_numeric("b", b)
        self.set_numeric("omega", omega)
        self.set_numeric("dt", dt)
        self.set_numeric("u_reset", u_reset)

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, u) -> (spike, v, u)``."""
        x, v, u = args
        cos, sin = rotation(self.b, self.omega, self.dt)
        size = self.b * self.b + self.omega * self.omega
        # (E - 1) / (b + i omega), by the conjugate of its denominator
        to_u = ((cos - 1.0) * self.b + sin * self.omega) / size
        to_v = (sin * self.b - (cos - 1.0) * self.omega) / size
        h = sin * u + cos * v + to_v * x
        u = cos * u - sin * v + to_u * x
        s = self.fire(h)
        z = s.detach() if self.detach_reset else s
        return s, self.reset(h, s), z * self.u_reset + (1.0 - z) * u

    def initial(self, name: str) -> float | Tensor:
        """Both start at rest, not at the reset point."""
        return self.states[name]
