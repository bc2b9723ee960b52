"""The neuron of online training through time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from torch import Tensor

from snn_neurons.online_lif import OnlineLIF
from snncore.config import Numeric
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class OTTTLIF(OnlineLIF):
    """Leaky integrate-and-fire neuron without gradient through time, with a trace of its spikes.

    H = V - (V - V_r) / tau + X  or  V + (X - (V - V_r)) / tau  (``decay_input``),  V detached;
    S = Theta(H - V_th);  V = H - S V_th  or  (1 - S) H + S V_r;
    A <- (1 - 1/tau) A + S,  without gradient

    In training it gives (S, A), from which the layer behind it takes its output and its gradient;
    in eval mode S alone, as LIF. Online training runs in step mode "s"; mode "m" gives the same
    numbers and gradients for all steps at once.

    Args:
        tau: time constant of the membrane and of the trace in steps, > 1.
        v_threshold: threshold V_th.
        v_reset: None for soft reset with V_r = 0; else reset and resting value V_r.
        decay_input: whether the input is divided by tau as well.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes and trace like x; states v and a [N, *], float32.
    Raises: ValueError if tau <= 1; StateError when the held state does not fit the input.
    Example:
        >>> net = OTTTLIF(tau=2.0, step_mode="m")
        >>> spikes, trace = net(torch.ones(3, 1, 1))
        >>> trace.flatten().tolist()
        [1.0, 1.5, 1.75]

    Source: Xiao et al., Online training through time for spiking neural networks, NeurIPS 2022.
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0, "a": 0.0}
    outputs: ClassVar[int] = 2
    conformance: ClassVar[Mapping[str, Any]] = {
        "through_time": False,
        "smooth": False,
        "reason": "online training: the potential is detached at each step, the trace has no "
        "gradient",
    }

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        v_threshold: Numeric = 1.0,
        v_reset: Numeric | None = None,
        decay_input: bool = False,
        detach_reset: bool = True,
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

    def forward(self, *inputs: Tensor) -> Any:
        """Spikes and trace, or spikes alone in eval mode."""
        spikes, trace = super().forward(*inputs)
        # A kernel's outputs all have a graph.
        return (spikes, trace.detach()) if self.training else spikes

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, a) -> (spike, trace, v, a)``."""
        x, v, a = args
        s, v = super().step(x, v)
        a = (a - a / self.tau + s).detach()
        return s, a, v, a
