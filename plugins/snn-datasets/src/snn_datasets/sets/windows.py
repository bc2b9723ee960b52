"""Windows of time cut into equal parts, whether or not something happens at their edges."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.integration.frames import Frames


def window_frames(
    events: NDArray[Any], *, start: int, stop: int, T: int, size: tuple[int, int]
) -> NDArray[Any]:
    """Counts events in ``T`` equal parts of a window of time.

    Frame j holds the events with e_j <= t < e_{j+1}, e_j = start + floor(j (stop - start) / T).
    The parts do not depend on when the first and the last event come, as those of
    :func:`snn_datasets.frames` do.

    Args:
        events: as for :func:`snn_datasets.frames`; all in [start, stop).
        start, stop: of the window, in microseconds.
        T: number of frames.
        size: (width, height) of the sensor.

    Returns: float32 array ``[T, P, H, W]``.

    Raises: FormatError for times that descend or leave the window, and as
        :func:`snn_datasets.frames`.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[5, 8], x=[0, 0], y=[0, 0], p=[1, 1])
        >>> window_frames(events, start=0, stop=9, T=3, size=(1, 1))[:, 1, 0, 0].tolist()
        [0.0, 1.0, 1.0]
    """
    edges = np.array([start + j * (stop - start) // T for j in range(T + 1)])
    t = events["t"]
    wrong = np.flatnonzero((t < start) | (t >= stop) | (np.diff(t, prepend=start) < 0))
    if wrong.size:
        i = int(wrong[0])
        raise FormatError(
            f"event {i} is at {t[i]} us; times must ascend within the window from {start} to "
            f"{stop} us"
        )
    # Each part is a recording of one frame.
    return Frames(T=1).batch(events, np.searchsorted(t, edges), size)[0]
