"""The leaky integrator without spikes."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt
from torch import Tensor

from snn_neurons.leak import leaky
from snn_neurons.readout import Decode, Readout
from snncore.config import Numeric
from snncore.step import StepMode


class LeakyIntegrator(Readout):
    """Averages its input over a time constant and never fires: a readout.

    V <- V + (X - V) / tau

    Args:
        tau: membrane time constant in steps, > 1.
        decode: "sequence" gives V of every step; "last_mem", "max_mem", "max_abs_mem" (the first
            V of largest absolute value) and "mean_mem" give one value for all steps since the last
            reset: in step mode "s" as it is after each call, in mode "m" without the time axis.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; output [T, N, *] for "sequence" in mode "m", else [N, *]; state
        v [N, *], float32, and what ``decode`` keeps.
    Raises: ValueError if tau <= 1 or for another ``decode``; StateError when the held state does
        not fit the input.
    Example:
        >>> x = torch.tensor([2.0, 2.0, 0.0]).view(3, 1, 1)
        >>> LeakyIntegrator(decode="mean_mem", step_mode="m")(x).tolist()  # of 1, 1.5 and 0.75
        [[1.0833333730697632]]

    Source: SpikingJelly (Science Advances 2023), its non-spiking LIF; Chen et al., Deep
        reinforcement learning with spiking Q-learning, 2022, for what is read.
    """

    tau: float | Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        decode: Decode = "sequence",
        step_mode: StepMode = "s",
        store_v_seq: bool = False,
        backend: str | None = None,
    ) -> None:
        super().__init__(
            decode=decode, step_mode=step_mode, store_v_seq=store_v_seq, backend=backend
        )
        self.set_numeric("tau", tau)

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        return leaky(x, v, tau=self.tau, rest=None, decay_input=True)
