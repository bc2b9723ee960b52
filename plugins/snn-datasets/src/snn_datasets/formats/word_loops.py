"""Compiled loops over the words of event files.

Each takes the words of a block, the state of :mod:`snn_datasets.formats.worded`, room for the
events, and the size of the sensor; and gives the number of events, or -1 where a word or an event
is none of the format, which numpy then explains. What the bits mean is said by the formats'
classes. Nothing here may come from another module of this package: numba compiles a loop anew when
its own file has changed, and no other.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

Words: TypeAlias = NDArray[Any]
State: TypeAlias = NDArray[Any]
Events: TypeAlias = NDArray[Any]
Number: TypeAlias = int | np.int64

_MARKER_ROW, _MARKER_BITS = 240, 13
_LARGEST = (1 << 15) - 1

# Which bit is set in a word of 32 that has one: the highest bits of its product with this number,
# which holds every pattern of five bits once.
_DE_BRUIJN = 0x077CB531
_BIT = np.zeros(32, np.int64)
_BIT[[(_DE_BRUIJN << bit) >> 27 & 31 for bit in range(32)]] = np.arange(32)


@njit(nogil=True, cache=True, inline="always")
def _unwrapped(state: Any, value: Number, bits: int) -> Number:
    """The value counted on over the wraps of its counter."""
    half = 1 << bits - 1
    if value < state.raw - half:
        state.wraps += 1
    elif value > state.raw + half and state.wraps > 0:
        state.wraps -= 1
    state.raw = value
    return value + (state.wraps << bits)


@njit(nogil=True, cache=True, inline="always")
def _put(out: Events, n: int, state: Any, t: Number, x: Number, y: Number, p: Number) -> None:
    """Writes an event, and watches its time."""
    event = out[n]
    event.t = t
    event.x = x
    event.y = y
    event.p = p
    if t < state.time - state.patience:
        if state.falls == 0:
            state.fall = state.count + n
        state.falls += 1
    state.time = t


@njit(nogil=True, cache=True)
def bin40(words: Words, states: State, out: Events, width: int, height: int) -> int:
    state = states[0]
    n = 0
    for i in range(0, words.size, 5):
        y = np.int64(words[i + 1])
        if y == _MARKER_ROW:
            state.wraps += 1
            continue
        high = np.int64(words[i + 2])
        t = (high & 0x7F) << 16 | np.int64(words[i + 3]) << 8 | np.int64(words[i + 4])
        t += state.wraps << _MARKER_BITS
        _put(out, n, state, t, np.int64(words[i]), y, high >> 7)
        n += 1
    state.count += n
    return n


@njit(nogil=True, cache=True)
def dat1(words: Words, states: State, out: Events, width: int, height: int) -> int:
    state = states[0]
    n, off = words.size // 2, False
    for i in range(n):
        t = _unwrapped(state, np.int64(words[2 * i]), 32)
        data = np.int64(words[2 * i + 1])
        x, y = data & 0x1FF, data >> 9 & 0xFF
        off |= (x >= width) | (y >= height)
        _put(out, i, state, t, x, y, data >> 17 & 1)
    state.count += n
    return -1 if off else n


@njit(nogil=True, cache=True)
def dat2(words: Words, states: State, out: Events, width: int, height: int) -> int:
    state = states[0]
    n, off = words.size // 2, False
    for i in range(n):
        t = _unwrapped(state, np.int64(words[2 * i]), 32)
        data = np.int64(words[2 * i + 1])
        x, y = data & 0x3FFF, data >> 14 & 0x3FFF
        off |= (x >= width) | (y >= height)
        _put(out, i, state, t, x, y, np.int64(data >> 28 != 0))
    state.count += n
    return -1 if off else n


@njit(nogil=True, cache=True, inline="always")
def _swapped(word: Number) -> Number:
    """A big-endian word of 32 bits that was read as a little-endian one."""
    return word >> 24 | (word >> 8 & 0xFF00) | (word & 0xFF00) << 8 | (word & 0xFF) << 24


@njit(nogil=True, cache=True)
def dvs128(words: Words, states: State, out: Events, width: int, height: int) -> int:
    state = states[0]
    n = 0
    for i in range(0, words.size, 2):
        t = _unwrapped(state, _swapped(np.int64(words[i + 1])), 32)
        address = _swapped(np.int64(words[i]))
        if address >> 15 & 1:
            continue
        x = width - 1 - (address >> 1 & 0x7F)
        _put(out, n, state, t, x, address >> 8 & 0x7F, 1 - (address & 1))
        n += 1
    state.count += n
    return n


@njit(nogil=True, cache=True)
def davis(words: Words, states: State, out: Events, width: int, height: int) -> int:
    state = states[0]
    n, off = 0, False
    for i in range(0, words.size, 2):
        t = _unwrapped(state, _swapped(np.int64(words[i + 1])), 32)
        address = _swapped(np.int64(words[i]))
        if address >> 31 | address >> 10 & 1:
            continue
        x, y = width - 1 - (address >> 12 & 0x3FF), address >> 22 & 0x1FF
        off |= (x < 0) | (y >= height)
        _put(out, n, state, t, x, y, address >> 11 & 1)
        n += 1
    state.count += n
    return -1 if off else n


@njit(nogil=True, cache=True)
def aedat31(words: Words, states: State, out: Events, width: int, height: int) -> int:
    """``state.high`` is the overflow count of the packet."""
    state = states[0]
    n, off = 0, False
    for i in range(0, words.size, 2):
        data = np.int64(words[i])
        if not data & 1:
            state.lost += 1
            continue
        # Bit 31 of the time is a sign.
        t = (state.high << 31) + np.int64(np.int32(words[i + 1]))
        x, y = data >> 17, data >> 2 & 0x7FFF
        off |= (x >= width) | (y >= height)
        _put(out, n, state, t, x, y, data >> 1 & 1)
        n += 1
    state.count += n
    return -1 if off else n


@njit(nogil=True, cache=True)
def evt2(words: Words, states: State, out: Events, width: int, height: int) -> int:
    state = states[0]
    n, wrong = 0, False
    for i in range(words.size):
        word = np.int64(words[i])
        kind = word >> 28
        if kind <= 1:
            if state.high < 0:
                state.lost += 1
                continue
            x, y = word >> 11 & 0x7FF, word & 0x7FF
            wrong |= (x >= width) | (y >= height)
            _put(out, n, state, state.high << 6 | (word >> 22 & 0x3F), x, y, kind)
            n += 1
        elif kind == 8:
            state.high = _unwrapped(state, word & 0xFFFFFFF, 28)
        else:
            wrong |= (kind != 0xA) & (kind < 0xE)
    state.count += n
    return -1 if wrong else n


@njit(nogil=True, cache=True)
def evt21(words: Words, states: State, out: Events, width: int, height: int) -> int:
    return _evt21(words, states, out, width, height, 0)


@njit(nogil=True, cache=True)
def evt21_legacy(words: Words, states: State, out: Events, width: int, height: int) -> int:
    return _evt21(words, states, out, width, height, 1)


@njit(nogil=True, cache=True)
def _evt21(words: Words, states: State, out: Events, width: int, height: int, lower: int) -> int:
    """The lower half of a word is its half number ``lower``."""
    state = states[0]
    n, wrong = 0, False
    for i in range(0, words.size, 2):
        mask, upper = np.int64(words[i + lower]), np.int64(words[i + 1 - lower])
        kind = upper >> 28
        if kind <= 1:
            t = state.high << 6 | (upper >> 22 & 0x3F)
            x, y = upper >> 11 & 0x7FF, upper & 0x7FF
            while mask:
                lowest = mask & -mask
                mask ^= lowest
                if state.high < 0:
                    state.lost += 1
                    continue
                column = x + _BIT[lowest * _DE_BRUIJN >> 27 & 31]
                wrong |= (column >= width) | (y >= height)
                _put(out, n, state, t, column, y, kind)
                n += 1
        elif kind == 8:
            state.high = _unwrapped(state, upper & 0xFFFFFFF, 28)
        else:
            wrong |= (kind != 0xA) & (kind < 0xE)
    state.count += n
    return -1 if wrong else n


@njit(nogil=True, cache=True)
def evt3(words: Words, states: State, out: Events, width: int, height: int) -> int:
    state = states[0]
    # What every word needs is kept in registers.
    high, low, y, base, p = state.high, state.low, state.y, state.base, state.p
    n, wrong = 0, False
    for i in range(words.size):
        word = np.int64(words[i])
        kind, value = word >> 12, word & 0xFFF
        known = (high >= 0) & (y >= 0)
        if kind == 2:
            if known:
                x = value & 0x7FF
                wrong |= (x >= width) | (y >= height)
                _put(out, n, state, high << 12 | low, x, y, value >> 11)
                n += 1
            else:
                state.lost += 1
        elif kind == 0:
            y = value & 0x7FF
        elif kind == 6:
            low = value
        elif kind == 4 or kind == 5:
            moves = 12 if kind == 4 else 8
            mask = value & (1 << moves) - 1
            while mask:
                lowest = mask & -mask
                mask ^= lowest
                if known and base >= 0:
                    x = base + _BIT[lowest * _DE_BRUIJN >> 27 & 31]
                    wrong |= (x >= width) | (y >= height)
                    # Damaged vectors run off any sensor, and must not wrap to a good column.
                    _put(out, n, state, high << 12 | low, min(x, _LARGEST), y, p)
                    n += 1
                else:
                    state.lost += 1
            base += moves
        elif kind == 3:
            base, p = value & 0x7FF, value >> 11
        elif kind == 8:
            counted = _unwrapped(state, value, 12)
            if counted != high:
                high, low = counted, 0
        else:
            wrong |= (kind != 7) & (kind != 0xA) & (kind < 0xE)
    state.high, state.low, state.y, state.base, state.p = high, low, y, base, p
    state.count += n
    return -1 if wrong else n
