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
    """Blocks of words with the byte that each block begins at.

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
    for offset in range(start, start + count, BLOCK * each):
        yield offset, np.frombuffer(file.read(BLOCK * each), dtype)


def bytes_after(file: BinaryIO, start: int) -> int:
    """How many bytes follow the first ``start``, at which the file then stands."""
    end = file.seek(0, os.SEEK_END)
    file.seek(start)
    return max(end - start, 0)


def last(values: NDArray[Any], given: NDArray[np.bool_], before: int) -> NDArray[np.int64]:
    """At each place the latest of ``values`` that was ``given``, or what held ``before``.

    Example:
        >>> last(np.array([1, 2, 3]), np.array([False, True, False]), 9).tolist()
        [9, 2, 2]
    """
    place = np.where(given, np.arange(1, values.size + 1), 0)
    return np.concatenate([[before], values]).astype(np.int64)[np.maximum.accumulate(place)]


class Unwrap:
    """Makes a counter of few bits count on, over all blocks of a file.

    A fall by more than half the range is a wrap; a smaller one is a time that descends.

    Args:
        bits: width of the counter.

    Example:
        >>> unwrap = Unwrap(8)
        >>> unwrap(np.array([250, 3])).tolist(), unwrap(np.array([5])).tolist()
        ([250, 259], [261])
    """

    def __init__(self, bits: int) -> None:
        self._range = 1 << bits
        self._before = 0
        self._wraps = 0

    def __call__(self, values: NDArray[Any]) -> NDArray[np.int64]:
        values = values.astype(np.int64)
        if not values.size:
            return values
        falls = np.diff(values, prepend=self._before) < -(self._range // 2)
        wraps = self._wraps + np.cumsum(falls)
        self._before, self._wraps = int(values[-1]), int(wraps[-1])
        return values + wraps * self._range


def interleave(*columns: tuple[NDArray[Any], NDArray[np.bool_]]) -> NDArray[Any]:
    """Words row by row: of every column those that are wanted.

    Args:
        columns: words and which of them to keep, of equal lengths.
    """
    table = np.stack([values for values, _ in columns], axis=1)
    return table[np.stack([wanted for _, wanted in columns], axis=1)]
