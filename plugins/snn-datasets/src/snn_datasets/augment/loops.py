"""Compiled loops of the filters that look back in time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def rested(
    t: NDArray[np.int64], cell: NDArray[np.int64], cells: int, duration: int
) -> NDArray[Any]:
    """Which events come at least ``duration`` after the last kept one of their cell."""
    kept = np.zeros(t.size, np.bool_)
    seen = np.zeros(cells, np.bool_)
    last = np.zeros(cells, np.int64)
    for i in range(t.size):
        c = cell[i]
        if not seen[c] or t[i] - last[c] >= duration:
            kept[i] = seen[c] = True
            last[c] = t[i]
    return kept


@njit(nogil=True, cache=True)
def supported(
    t: NDArray[np.int64],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    width: int,
    height: int,
    duration: int,
) -> NDArray[Any]:
    """Which events have an earlier one, at most ``duration`` before, at one of eight neighbours."""
    kept = np.zeros(t.size, np.bool_)
    # A frame of pixels that never see an event saves the look at the edges.
    seen = np.zeros((height + 2, width + 2), np.bool_)
    last = np.zeros((height + 2, width + 2), np.int64)
    for i in range(t.size):
        row, column = y[i] + 1, x[i] + 1
        for r in range(row - 1, row + 2):
            for c in range(column - 1, column + 2):
                if (r != row or c != column) and seen[r, c] and t[i] - last[r, c] <= duration:
                    kept[i] = True
        seen[row, column] = True
        last[row, column] = t[i]
    return kept
