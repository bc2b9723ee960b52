"""Compiled loops between columns of events and packed words."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from snn_datasets.fields import Columns

_ONE, _X, _Y, _T = np.uint64(1), np.uint64(1), np.uint64(17), np.uint64(32)
_WIDE_Y = np.uint64(33)
_MASK_X, _MASK_Y = np.uint64(0xFFFF), np.uint64(0x7FFF)
_MASK_WIDE_X = np.uint64(0xFFFFFFFF)


@njit(nogil=True, cache=True)
def pack(columns: Columns, t0: int, words: NDArray[np.uint64]) -> bool:
    """Fills ``[N]`` words. Returns: whether all events fit."""
    t, x, y, p = columns
    fit = True
    for i in range(words.size):
        since, xi, yi, pi = t[i] - t0, np.int64(x[i]), np.int64(y[i]), np.int64(p[i])
        fit &= (since >> 32 == 0) & (xi >> 16 == 0) & (yi >> 15 == 0) & (pi >> 1 == 0)
        words[i] = (
            np.uint64(since) << _T | np.uint64(yi) << _Y | np.uint64(xi) << _X | np.uint64(pi)
        )
    return fit


@njit(nogil=True, cache=True)
def pack_wide(columns: Columns, t0: int, words: NDArray[np.uint64]) -> bool:
    """Fills ``[N, 2]`` words. Returns: whether all events fit."""
    t, x, y, p = columns
    fit = True
    for i in range(words.shape[0]):
        since, xi, yi, pi = t[i] - t0, np.int64(x[i]), np.int64(y[i]), np.int64(p[i])
        fit &= (since >= 0) & (xi >> 32 == 0) & (yi >> 31 == 0) & (pi >> 1 == 0)
        words[i, 0] = np.uint64(since)
        words[i, 1] = np.uint64(yi) << _WIDE_Y | np.uint64(xi) << _X | np.uint64(pi)
    return fit


@njit(nogil=True, cache=True)
def unpack(words: NDArray[np.uint64], t0: int, columns: Columns) -> None:
    """Fills columns from ``[N]`` words."""
    t, x, y, p = columns
    for i in range(words.size):
        word = words[i]
        t[i] = np.int64(word >> _T) + t0
        x[i] = np.int64(word >> _X & _MASK_X)
        y[i] = np.int64(word >> _Y & _MASK_Y)
        p[i] = np.int64(word & _ONE)


@njit(nogil=True, cache=True)
def unpack_wide(words: NDArray[np.uint64], t0: int, columns: Columns) -> None:
    """Fills columns from ``[N, 2]`` words."""
    t, x, y, p = columns
    for i in range(words.shape[0]):
        word = words[i, 1]
        t[i] = np.int64(words[i, 0]) + t0
        x[i] = np.int64(word >> _X & _MASK_WIDE_X)
        y[i] = np.int64(word >> _WIDE_Y)
        p[i] = np.int64(word & _ONE)
