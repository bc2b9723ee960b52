"""Signals as events: one whenever a level is crossed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_datasets.events import make_events


def level_crossings(
    signals: NDArray[np.float64], *, step_us: int, threshold: float, start_us: int = 0
) -> NDArray[Any]:
    """Send-on-delta encoding: an event whenever a signal has risen or fallen by the threshold.

    A signal is a line between its samples. Its reference begins at its first sample. When it
    reaches reference + threshold, an ON event (p = 1) is sent and the reference rises by the
    threshold; an OFF event (p = 0) likewise below. So reference + threshold (ON - OFF) follows the
    signal to within one threshold.

    Args:
        signals: ``[K, C]``, K samples of C channels.
        step_us: microseconds between two samples.
        threshold: distance of two levels, > 0.
        start_us: time of the first sample.

    Returns: events with x = channel and y = 0, sorted by time; times are rounded down.

    Raises: ValueError for a threshold of 0 or below, or signals of other dimensions.

    Example:
        >>> level_crossings(np.array([[0.0], [2.5], [0.9]]), step_us=100, threshold=1).tolist()
        [(40, 0, 0, 1), (80, 0, 0, 1), (193, 0, 0, 0)]

    Source: M. Miskowicz, Send-On-Delta Concept: An Event-Based Data Reporting Strategy, Sensors
        6(1), 2006.
    """
    if not threshold > 0:
        raise ValueError(f"level_crossings: threshold must be above 0, got {threshold}")
    if signals.ndim != 2:
        raise ValueError(f"level_crossings: signals have the shape {signals.shape}, not [K, C]")
    parts = [make_events(t=[], x=[], y=[], p=[])]
    reference = signals[0].copy() if len(signals) else np.zeros(signals.shape[1])
    for k in range(1, len(signals)):
        before, now = signals[k - 1], signals[k]
        moves = np.trunc((now - reference) / threshold).astype(np.int64)
        channel = np.repeat(np.arange(moves.size), np.abs(moves))
        # 1, 2, ... within each channel
        number = np.arange(channel.size) - np.searchsorted(channel, channel) + 1
        up = np.sign(moves)[channel]
        level = reference[channel] + up * number * threshold
        share = (level - before[channel]) / (now - before)[channel]
        t = start_us + (k - 1) * step_us + np.floor(np.clip(share, 0, 1) * step_us)
        parts.append(make_events(t=t, x=channel, y=np.zeros_like(channel), p=up > 0))
        reference = reference + moves * threshold
    events = np.concatenate(parts)
    return events[np.argsort(events["t"], kind="stable")]
