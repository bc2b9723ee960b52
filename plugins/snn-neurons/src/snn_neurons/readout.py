"""How a potential that never fires is read out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor

from snncore.neuron import Membrane
from snncore.step import StepMode

Decode: TypeAlias = Literal["sequence", "last_mem", "max_mem", "max_abs_mem", "mean_mem"]
"""What is read from the potentials: all of them, the last, the largest, that of largest absolute
value (the first of equals), or their mean."""

_KEPT: Mapping[Decode, dict[str, float]] = {
    "sequence": {"v": 0.0},
    "last_mem": {"v": 0.0},
    "max_mem": {"v": 0.0, "peak": -torch.inf},
    "max_abs_mem": {"v": 0.0, "peak": 0.0},
    "mean_mem": {"v": 0.0, "total": 0.0, "count": 0.0},
}


class Readout(Membrane):
    """A membrane that integrates and never fires; its potential is the output.

    Unless it is the sequence, what is read is kept as state and covers all steps since the last
    reset. In step mode "s" each call gives it as it is then; in mode "m" a call gives it once, as
    it is after the last step.

    Args:
        decode: what is read from the potentials.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; output [T, N, *] for the sequence in mode "m", else [N, *].
    Raises: ValueError for another ``decode``.
    """

    conformance: ClassVar[Mapping[str, Any]] = {"spike_values": None}
    states: ClassVar[Mapping[str, float]] = {"v": 0.0, "peak": 0.0, "total": 0.0, "count": 0.0}

    def __init__(
        self, *, decode: Decode, step_mode: StepMode, store_v_seq: bool, backend: str | None
    ) -> None:
        super().__init__(step_mode=step_mode, store_v_seq=store_v_seq, backend=backend)
        if decode not in _KEPT:
            raise ValueError(
                f"{type(self).__name__}: decode must be one of {', '.join(_KEPT)}, got {decode!r}"
            )
        self.decode = decode
        # Only what is read is kept.
        self.states = _KEPT[decode]  # pyright: ignore[reportAttributeAccessIssue]

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, v, *kept) -> (read, v, *kept)``."""
        x, v, *kept = args
        states = self._keep(self.charge(x, v), *kept)
        return self._read(*states), *states

    def sequence(
        self, inputs: tuple[Tensor, ...], states: tuple[Tensor, ...]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """All steps, read once behind the last unless the sequence is wanted."""
        outputs, states = super().sequence(inputs, states)
        if self.decode == "sequence":
            return outputs, states
        return (self._read(*states).to(inputs[0].dtype),), states

    def _keep(self, v: Tensor, *kept: Tensor) -> tuple[Tensor, ...]:
        if self.decode == "max_mem":
            return v, torch.maximum(kept[0], v)
        if self.decode == "max_abs_mem":
            return v, torch.where(v.abs() > kept[0].abs(), v, kept[0])
        if self.decode == "mean_mem":
            return v, kept[0] + v, kept[1] + 1.0
        return (v,)

    def _read(self, v: Tensor, *kept: Tensor) -> Tensor:
        if self.decode == "mean_mem":
            return kept[0] / kept[1]
        return kept[0] if kept else v
