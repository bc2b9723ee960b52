"""Fixed-size words of an event file, and the arithmetic that their decoders share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from snn_datasets.errors import FormatError

BLOCK = 1 << 16
"""Words that are decoded at once: what bounds the memory of a recording, and fits in caches."""


def words(
    file: BinaryIO, dtype: DTypeLike, *, name: str, unit: str, start: int = 0
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Blocks of words with the byte that each block begins at; the next takes its memory.

    Args:
        dtype: one word.
        name: what error texts call the file.
        unit: what error texts call the words.
        start: bytes of the header.

    Raises: FormatError if the file ends within a word.
    """
    each = np.dtype(dtype).itemsize
    count = bytes_after(file, start)
    if count % each:
        after = f" after its header of {start} bytes" if start else ""
        raise FormatError(
            f"{name} has {count} bytes{after}, which is no multiple of {each}: it is cut off "
            f"after {count // each} whole {unit}, or holds another format"
        )
    # One buffer for all blocks: fresh memory for each would cost more than reading.
    buffer = np.empty(min(BLOCK * each, count), np.uint8)
    for offset in range(start, start + count, BLOCK * each):
        block = buffer[: start + count - offset]
        if _read_into(file, block) < block.size:
            raise FormatError(f"{name} became shorter while it was read, at byte {offset}")
        yield offset, np.frombuffer(block, dtype)


def _read_into(file: Any, block: NDArray[np.uint8]) -> int:
    """How many bytes were read."""
    if not hasattr(file, "readinto"):
        data = file.read(block.size)
        block[: len(data)] = np.frombuffer(data, np.uint8)
        return len(data)
    count = 0
    while count < block.size and (more := file.readinto(block[count:])):
        count += more
    return count


def bytes_after(file: BinaryIO, start: int) -> int:
    """How many bytes follow the first ``start``, at which the file then stands."""
    end = file.seek(0, os.SEEK_END)
    file.seek(start)
    return max(end - start, 0)


def last(
    values: NDArray[Any], given: NDArray[np.bool_], before: int, at: NDArray[np.intp] | None = None
) -> NDArray[np.int64]:
    """At each place the latest value that was given up to there, or what held ``before``.

    Args:
        values: what is given, one for each true place of ``given``.
        at: the places wanted; all of them if not given.

    Example:
        >>> last(np.array([2, 3]), np.array([False, True, False, True]), 9).tolist()
        [9, 2, 2, 3]
    """
    count = np.cumsum(given)
    known = np.empty(values.size + 1, np.int64)
    known[0], known[1:] = before, values
    return known[count if at is None else count[at]]


class Unwrap:
    """Makes a counter of few bits count on, over all blocks of a file.

    A fall by more than half the range is a wrap. A rise by more than half after a wrap is the way
    back over it: times that are a little out of order at a wrap stay so. A smaller fall is a time
    that descends.

    Args:
        bits: width of the counter.
        state: record that holds ``raw`` and ``wraps``, the last value and the wraps before it.

    Example:
        >>> unwrap = Unwrap(8)
        >>> unwrap(np.array([250, 3])).tolist(), unwrap(np.array([254, 5])).tolist()
        ([250, 259], [254, 261])
    """

    def __init__(self, bits: int, state: NDArray[Any] | None = None) -> None:
        self._bits = bits
        self._state = np.zeros(1, [("raw", "<i8"), ("wraps", "<i8")]) if state is None else state

    def __call__(self, values: NDArray[Any]) -> NDArray[np.int64]:
        if not values.size:
            return values.astype(np.int64)
        half = 1 << self._bits - 1
        before, wraps = int(self._state["raw"][0]), int(self._state["wraps"][0])
        self._state["raw"] = values[-1]
        low, high = min(int(values.min()), before), max(int(values.max()), before)
        values = values.astype(np.int64)
        if high - low <= half:
            return values + (wraps << self._bits) if wraps else values
        steps = np.diff(values, prepend=before)
        walk = wraps + np.cumsum((steps < -half).astype(np.int64) - (steps > half))
        # Before the first wrap there is nothing to go back over.
        walk -= np.minimum(np.minimum.accumulate(walk), 0)
        self._state["wraps"] = walk[-1]
        return values + (walk << self._bits)


def interleave(*columns: tuple[NDArray[Any], NDArray[np.bool_]]) -> NDArray[Any]:
    """Words row by row: of every column those that are wanted.

    Args:
        columns: words and which of them to keep, of equal lengths.
    """
    table = np.stack([values for values, _ in columns], axis=1)
    return table[np.stack([wanted for _, wanted in columns], axis=1)]
