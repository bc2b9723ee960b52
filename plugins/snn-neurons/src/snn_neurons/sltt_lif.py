"""The neuron of spatial learning through time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Gt

from snn_neurons.online_lif import OnlineLIF
from snncore.config import Numeric
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class SLTTLIF(OnlineLIF):
    """Leaky integrate-and-fire neuron without gradient through time.

    H = V + (X - (V - V_r)) / tau  (``decay_input``)  or  V - (V - V_r) / tau + X,  V detached;
    S = Theta(H - V_th);  V = (1 - S) H + S V_r

    A loss may be taken, and its backward run, at every step, in memory that does not grow with
    the number of steps. In eval mode it is LIF. Online training runs in step mode "s"; mode "m"
    gives the same numbers and gradients for all steps at once.

    Args:
        tau: membrane time constant in steps, > 1.
        v_threshold: threshold V_th.
        v_reset: reset and resting value V_r; None for soft reset V = H - S V_th with V_r = 0.
        decay_input: whether the input is divided by tau as well.
        detach_reset: cut the gradient through S in the reset equation only.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes like x; state v [N, *], float32.
    Raises: ValueError if tau <= 1; StateError when the held state does not fit the input.
    Example:
        >>> net = SLTTLIF()
        >>> for x in torch.rand(3, 2, 4, requires_grad=True):
        ...     net(x).sum().backward()

    Source: Meng et al., Towards memory- and time-efficient backpropagation for training spiking
        neural networks, ICCV 2023.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "through_time": False,
        "smooth": False,
        "reason": "online training: the potential is detached at each step",
    }

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        v_threshold: Numeric = 1.0,
        v_reset: Numeric | None = 0.0,
        decay_input: bool = True,
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
