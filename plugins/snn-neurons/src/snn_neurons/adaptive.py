"""What neurons with an adaptation current share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from torch import Tensor

from snncore.config import Numeric
from snncore.neuron import Neuron
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class Adaptive(Neuron):
    """A neuron whose second state is a current W that follows the potential and the spikes.

    H = charge(X, V, W);  S = Theta(H - V_th);  V = reset(H, S);
    W <- W + (a (H - V_rest) - W) / tau_w + b S

    The charge uses W from before the step. A subclass writes :meth:`charge`.

    Args:
        v_rest: potential from which W does not move.
        a: coupling of W to the potential.
        b: jump of W at a spike.
        tau_w: time constant of W in steps, > 1.
        w_rest: W before the first step.
        v_threshold, v_reset, detach_reset, surrogate, step_mode, store_v_seq, backend: as in
            :class:`snncore.Neuron`; the S of b S keeps its gradient under detach_reset.
    Shape: as in :class:`snncore.Neuron`; states v and w.
    Raises: ValueError if tau_w <= 1.
    Source: SpikingJelly (Science Advances 2023), Eq. 36-38.
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0, "w": 0.0}
    v_rest: float | Tensor
    a: float | Tensor
    b: float | Tensor
    tau_w: float | Tensor
    w_rest: float | Tensor

    def __init__(
        self,
        *,
        v_rest: Numeric,
        a: Numeric,
        b: Numeric,
        tau_w: Annotated[Numeric, Gt(1)],
        w_rest: Numeric,
        v_threshold: Numeric,
        v_reset: Numeric | None,
        detach_reset: bool,
        surrogate: Surrogate | str | dict[str, Any],
        step_mode: StepMode,
        store_v_seq: bool,
        backend: str | None,
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
        self.set_numeric("v_rest", v_rest)
        self.set_numeric("a", a)
        self.set_numeric("b", b)
        self.set_numeric("tau_w", tau_w)
        self.set_numeric("w_rest", w_rest)

    def charge(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, x: Tensor, v: Tensor, w: Tensor
    ) -> Tensor:
        """The potential H before firing, from X and the last V and W."""
        raise TypeError(f"{type(self).__name__} must define charge(x, v, w)")

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, w) -> (spike, v, w)``."""
        x, v, w = args
        h = self.charge(x, v, w)
        s = self.fire(h)
        w = w + (self.a * (h - self.v_rest) - w) / self.tau_w + self.b * s
        return s, self.reset(h, s), w

    def initial(self, name: str) -> float | Tensor:
        """W starts at ``w_rest``, V as in :class:`snncore.Neuron`."""
        return self.w_rest if name == "w" else super().initial(name)
