"""The resonate-and-fire neuron of SpikingJelly, whose current is never reset."""

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


class RAF(Neuron):
    """Resonate-and-fire neuron: a damped rotation of U and V, where only V is reset.

    H = al (U sin th + V cos th);  U <- al (U cos th - V sin th) + X;
    S = Theta(H - V_th);  V = (1 - S) H + S V_reset;  al = e^(b dt), th = omega dt

    H uses U from before the step, so that an input reaches the spikes one step later. U starts at
    0. :class:`snn_neurons.ResonateAndFire` has the reset of Izhikevich instead.

    Args:
        b: damping, <= 0.
        omega: angular frequency, > 0.
        dt: length of a step, > 0.
        v_threshold: threshold V_th.
        v_reset: reset value; None for soft reset V = H - S V_th.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; states v and u [N, *], float32.
    Raises: ValueError if b, omega or dt leaves its range; StateError when the held state does not
        fit the input.
    Example:
        >>> RAF(step_mode="m")(2 * torch.ones(4, 1, 1)).flatten().tolist()
        [0.0, 1.0, 1.0, 1.0]

    Source: Izhikevich, Resonate-and-fire neurons, Neural Networks 2001; SpikingJelly (Science
        Advances 2023).
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0, "u": 0.0}
    b: float | Tensor
    omega: float | Tensor
    dt: float | Tensor

    def __init__(
        self,
        b: Annotated[Numeric, Le(0)] = -0.2,
        *,
        omega: Annotated[Numeric, Gt(0)] = 1.0,
        dt: Annotated[Numeric, Gt(0)] = 1.0,
        v_threshold: Numeric = 1.0,
        v_reset: Numeric | None = 0.0,
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

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, u) -> (spike, v, u)``."""
        x, v, u = args
        cos, sin = rotation(self.b, self.omega, self.dt)
        h = sin * u + cos * v
        s = self.fire(h)
        return s, self.reset(h, s), cos * u - sin * v + x
