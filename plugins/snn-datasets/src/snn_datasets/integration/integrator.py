"""What turns events into an array, and a user's own function as such."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snn_datasets.errors import FormatError
from snn_datasets.sensor import Size


class Integrator(Protocol):
    """A way from events to the array ``[T, P, H, W]`` that a network takes.

    :class:`~snn_datasets.Frames`, :class:`~snn_datasets.VoxelGrid`,
    :class:`~snn_datasets.TimeSurface` and :class:`Custom` are such.
    """

    def __call__(self, events: NDArray[Any], size: Size) -> NDArray[Any]:
        """The array of one recording.

        Args:
            events: structured array, or packed words. It is not changed.
            size: (width, height) of the sensor in pixels.
        """
        ...


@dataclass(frozen=True)
class Custom:
    """A user's own function of events as an :class:`Integrator`.

    Args:
        function: from a structured array, which it may not write to, to ``[T, P, H, W]``.

    Raises: FormatError, when called, if the function gives another number of dimensions.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[0, 9], x=[0, 1], y=[0, 0], p=[1, 1])
        >>> Custom(lambda events: np.full((1, 1, 1, 1), len(events)))(events, (2, 1)).item()
        2
    """

    function: Callable[[NDArray[Any]], ArrayLike]

    def __call__(self, events: NDArray[Any], size: Size) -> NDArray[Any]:
        """What the function makes of ``events``."""
        lent = events.view()
        lent.flags.writeable = False
        array = np.asarray(self.function(lent))
        if array.ndim != 4:
            name = getattr(self.function, "__qualname__", repr(self.function))
            raise FormatError(
                f"the function {name} gave an array of shape {list(array.shape)}, expected is "
                "[T, P, H, W]"
            )
        return array
