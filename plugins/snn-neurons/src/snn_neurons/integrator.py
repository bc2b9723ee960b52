"""The perfect integrator without spikes."""

from __future__ import annotations

from torch import Tensor

from snn_neurons.readout import Decode, Readout
from snncore.step import StepMode


class Integrator(Readout):
    """Sums its input and never fires: a readout.

    V <- V + X

    Args:
        decode: "sequence" gives V of every step; "last_mem", "max_mem", "max_abs_mem" (the first
            V of largest absolute value) and "mean_mem" give one value for all steps since the last
            reset: in step mode "s" as it is after each call, in mode "m" without the time axis.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; output [T, N, *] for "sequence" in mode "m", else [N, *]; state
        v [N, *], float32, and what ``decode`` keeps.
    Raises: ValueError for another ``decode``; StateError when the held state does not fit the
        input.
    Example:
        >>> x = torch.tensor([1.0, 2.0, -7.0]).view(3, 1, 1)
        >>> Integrator(step_mode="m")(x).flatten().tolist()
        [1.0, 3.0, -4.0]
        >>> Integrator(decode="max_mem", step_mode="m")(x).tolist()
        [[3.0]]

    Source: SpikingJelly (Science Advances 2023), its non-spiking IF; Chen et al., Deep
        reinforcement learning with spiking Q-learning, 2022, for what is read.
    """

    def __init__(
        self,
        decode: Decode = "sequence",
        *,
        step_mode: StepMode = "s",
        store_v_seq: bool = False,
        backend: str | None = None,
    ) -> None:
        super().__init__(
            decode=decode, step_mode=step_mode, store_v_seq=store_v_seq, backend=backend
        )

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        return v + x
