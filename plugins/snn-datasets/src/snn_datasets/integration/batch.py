"""Frames of a whole batch of recordings in one call."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from snn_datasets.integration.frames import Counts, Frames
from snn_datasets.integration.slices import By
from snn_datasets.sensor import Size


def frames_batch(
    events: NDArray[Any],
    offsets: NDArray[Any],
    *,
    size: Size,
    T: int | None = None,
    by: By = "count",
    duration_us: int | None = None,
    count: int | None = None,
    dtype: Counts = "float32",
) -> NDArray[Any]:
    """Counts the events of several recordings: :meth:`Frames.batch` in one call.

    Args:
        events: the recordings one behind the other: a structured array with integer fields t
            (microseconds, ascending within a recording), x, y, p, or packed words.
        offsets: [B + 1] recording b is ``events[offsets[b]:offsets[b + 1]]``.
        size: (width, height) of the sensor in pixels.
        T, by, duration_us, count, dtype: as of :class:`~snn_datasets.Frames`, which has more.

    Returns: array ``[T, B, P, H, W]``, time first. Frames behind the last of a recording are empty.

    Raises: as :func:`snn_datasets.frames`, and FormatError for offsets that are none.

    Example:
        >>> import numpy as np
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[0, 9, 0], x=[0, 0, 1], y=[0, 0, 0], p=[1, 1, 0])
        >>> frames_batch(events, np.array([0, 2, 3]), size=(2, 1), T=4).sum((0, 2, 3, 4)).tolist()
        [2.0, 1.0]

    Source: Eq. 16-22 of the SpikingJelly paper (Fang et al., Science Advances 9, 2023).
    """
    integrate = Frames(T=T, by=by, duration_us=duration_us, count=count, dtype=dtype)
    return integrate.batch(events, offsets, size)
