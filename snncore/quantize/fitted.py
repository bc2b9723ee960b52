"""The base of quantisers that take their scale from the tensors they see."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from snncore.errors import StateError
from snncore.quantize.uniform import Even
from snncore.step import locate


class Fitted(Even):
    """b bits on an even grid that follows what is quantised.

    A subclass writes :meth:`fit`, which sets its scale from a tensor, and :meth:`due`.

    Args:
        bits: b.
        signed: codes in two's complement, else from 0.
        channels: how many scales there are; None for one.
        channel_axis: the axis they run along.

    Attributes:
        ready: whether it has a scale; part of the state_dict.

    Raises: StateError when it is used before it has a scale and may not take one.
    """

    def __init__(self, bits: int, signed: bool, channels: int | None, channel_axis: int) -> None:
        super().__init__(bits, signed)
        if channels is not None and channels < 1:
            raise ValueError(f"{type(self).__name__}: channels must be >= 1, got {channels}")
        self.channels = channels
        self.channel_axis = channel_axis
        self.ready = False

    def due(self) -> bool:
        """Whether the next tensor is to be fitted."""
        raise TypeError(f"{type(self).__name__} must define due()")

    def fit(self, x: Tensor) -> None:
        """Sets the scale from a tensor that has values."""
        raise TypeError(f"{type(self).__name__} must define fit(x)")

    def quantize(self, x: Tensor) -> Tensor:
        if self.due() and x.numel():
            with torch.no_grad():
                self.fit(x.detach())
            self.ready = True
        if not (self.ready or x.numel() == 0):
            raise StateError(
                f"{locate(self)} has no scale yet. Run it once in training mode, or on sample "
                "data within snncore.quantize.calibrating(net)."
            )
        return super().quantize(x)

    def get_extra_state(self) -> dict[str, Any]:
        """Whether there is a scale."""
        return {"ready": self.ready}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes it back."""
        self.ready = state["ready"]

    def extra_repr(self) -> str:
        """Channels too."""
        if self.channels is None:
            return super().extra_repr()
        return f"{super().extra_repr()}, channels={self.channels} along {self.channel_axis}"
