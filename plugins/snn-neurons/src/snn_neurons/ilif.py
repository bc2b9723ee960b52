"""The integer leaky integrate-and-fire neuron: several spikes in one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Gt
from torch import Tensor

from snn_neurons.leak import leaky
from snn_neurons.surrogates.passes import MultiLevelSpikeCount
from snncore.config import Numeric
from snncore.neuron import Neuron
from snncore.step import StepMode


class ILIF(Neuron):
    """Leaky integrate-and-fire neuron that fires a whole number of spikes per step.

    H = V - V / tau + X;  S = round(clamp(H / V_th, 0, D)), half to even;  V = H - S V_th

    The gradient of S is straight-through: dS/dH = 1 / V_th where 0 <= H <= D V_th, else 0. For a
    chip, a step with S = n unrolls into n steps of one spike.

    Args:
        tau: membrane time constant in steps, > 1; 4/3 keeps a quarter of V.
        D: the largest number of spikes in one step, >= 1.
        v_threshold: V_th, the potential of one spike, > 0.
        detach_reset: cut the gradient through S in the reset equation only.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; spikes 0, 1, ..., D like x; state v [N, *], float32.
    Raises: ValueError if tau <= 1, D < 1 or v_threshold <= 0; StateError when the held state does
        not fit the input.
    Example:
        >>> ILIF(step_mode="m")(torch.tensor([2.3, 9.0, 1.0]).view(3, 1, 1)).flatten().tolist()
        [2.0, 4.0, 2.0]

    Source: Luo et al., Integer-valued training and spike-driven inference spiking neural network
        for high-performance and energy-efficient object detection, ECCV 2024; SpikingJelly
        (Science Advances 2023).
    """

    conformance: ClassVar[Mapping[str, Any]] = {"spike_values": (0.0, 1.0, 2.0, 3.0, 4.0)}
    tau: float | Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 4.0 / 3.0,
        *,
        D: Annotated[int, Gt(0)] = 4,
        v_threshold: Annotated[Numeric, Gt(0)] = 1.0,
        detach_reset: bool = False,
        step_mode: StepMode = "s",
        store_v_seq: bool = False,
        backend: str | None = None,
    ) -> None:
        if D < 1:
            raise ValueError(f"ILIF: D must be >= 1, got {D}")
        super().__init__(
            v_threshold=v_threshold,
            v_reset=None,
            detach_reset=detach_reset,
            surrogate=MultiLevelSpikeCount(D),
            step_mode=step_mode,
            store_v_seq=store_v_seq,
            backend=backend,
        )
        self.set_numeric("tau", tau)
        self.D = D

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        return leaky(x, v, tau=self.tau, rest=None, decay_input=False)

    def fire(self, h: Tensor) -> Tensor:
        """S = round(clamp(H / V_th, 0, D))."""
        return self.surrogate(h / self.v_threshold)
