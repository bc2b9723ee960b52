"""Loihi 2's neuron with graded spikes, for training."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from snn_lava.cuba import LoihiCUBA
from snn_lava.grid import WEIGHT_UNIT
from snncore.quantize import straight_through


class LoihiGraded(LoihiCUBA):
    """Current-based neuron of Loihi 2 whose spikes carry the potential.

    U, V and S as :class:`snn_lava.LoihiCUBA`;  Y = S trunc(V / 64) / 64 with V before its reset

    The payload is the potential in whole numbers of 1/64, so that weights times payloads are whole
    numbers of the current's unit. It runs in the simulator of ``loihi2`` with ``graded=True``; no
    file of Lava holds it.

    Args:
        current_decay, voltage_decay, v_threshold, surrogate, step_mode, store_v_seq, backend: as
            :class:`snn_lava.LoihiCUBA`.
    Shape: x [N, *] or [T, N, *]; payloads like x; states v and u [N, *], float32.
    Raises: as :class:`snn_lava.LoihiCUBA`.
    Example:
        >>> neuron = LoihiGraded(1.0, voltage_decay=0.0, step_mode="m")
        >>> neuron(torch.tensor([[0.75], [0.75], [0.75]])).flatten().tolist()
        [0.0, 1.5, 0.0]

    Source: Orchard et al., Efficient neuromorphic signal processing with Loihi 2, SiPS 2021;
        lava-dl 0.6, slayer/neuron/cuba.py, graded spikes.
    """

    conformance: ClassVar[dict[str, object]] = {
        **LoihiCUBA.conformance,
        "spike_values": None,
        "reason": f"it gives potentials; and {LoihiCUBA.conformance['reason']}",
    }

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, u) -> (payload, v, u)``."""
        s, v, u = self.charged(*args)
        payload = straight_through(torch.trunc(v * WEIGHT_UNIT) / WEIGHT_UNIT, v)
        return s * payload, torch.where(s > 0, 0.0, v), u
