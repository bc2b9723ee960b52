"""Events in words of 64 bits, for caches and for the GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_datasets.compiled import loops
from snn_datasets.errors import FormatError
from snn_datasets.events import EVENT
from snn_datasets.fields import Columns, fields

WORD = np.dtype(np.uint64)

# Bits of time, row and column; one bit of polarity.
_NARROW = (32, 15, 16)
_WIDE = (63, 31, 32)
_LAST_X = np.iinfo(EVENT["x"]).max


def pack(events: NDArray[Any], *, t0: int | None = None, wide: bool = False) -> NDArray[np.uint64]:
    """Packs events into one word each, or into two.

    From the highest bit to the lowest::

        [N]               t - t0: 32 | y: 15 | x: 16 | p: 1
        [N, 2] (wide)     t - t0: 64, and y: 31 | x: 32 | p: 1

    Words compare as their times do. One word holds 71 minutes.

    Args:
        events: structured array with integer fields t (microseconds), x, y and p, in any order.
        t0: time that is packed as 0; the earliest if not given.
        wide: two words for each event. :func:`fits` says whether one is enough.

    Raises: FormatError that names the first event that does not fit.

    Example:
        >>> events = np.array([(1000, 3, 4, 1), (1002, 3, 4, 0)], EVENT)
        >>> [hex(word) for word in pack(events).tolist()]
        ['0x80007', '0x200080006']
    """
    columns = fields(events)
    start = _earliest(columns) if t0 is None else t0
    words = np.empty((events.size, 2) if wide else events.size, np.uint64)
    compiled = loops("packed_loops")
    if compiled is None:
        # contiguous copies: numpy is slow on the fields of packed structures
        copies = _copies(columns)
        fit = _fit(copies, start, wide)
        _pack(copies, start, words)
    else:
        fit = (compiled.pack_wide if wide else compiled.pack)(columns, start, words)
    if not fit:
        _refuse(columns, start, wide)
    return words


def fits(events: NDArray[Any], *, t0: int | None = None) -> bool:
    """Whether one word for each event is enough.

    Args:
        events, t0: as of :func:`pack`.

    Example:
        >>> fits(np.array([(0, 3, 4, 1), (1 << 32, 3, 4, 0)], EVENT))
        False
    """
    columns = _copies(fields(events))
    return _fit(columns, _earliest(columns) if t0 is None else t0, False)


def unpack(words: NDArray[np.uint64], *, t0: int = 0) -> NDArray[Any]:
    """The array of :data:`EVENT` that :func:`pack` was given.

    Args:
        words: ``[N]`` or, of two words each, ``[N, 2]``.
        t0: time of the events packed as 0.

    Raises: FormatError for another dtype or shape, or a column beyond 32,767, which
        :data:`EVENT` does not hold.

    Example:
        >>> unpack(np.array([0x200080006], np.uint64), t0=1000).tolist()
        [(1002, 3, 4, 0)]
    """
    words = check_words(words)
    x = columns_of(words)[1] if words.ndim == 2 else words >> np.uint64(1) & np.uint64(0xFFFF)
    if words.size and x.max() > _LAST_X:
        raise FormatError(
            f"packed events reach x={x.max()}; arrays of events hold up to {_LAST_X}. Frames can "
            "be made of the words themselves"
        )
    events = np.empty(len(words), EVENT)
    columns = (events["t"], events["x"], events["y"], events["p"])
    compiled = loops("packed_loops")
    if compiled is None:
        for column, values in zip(columns, columns_of(words), strict=True):
            column[:] = values
        events["t"] += t0
    else:
        (compiled.unpack_wide if words.ndim == 2 else compiled.unpack)(words, t0, columns)
    return events


def columns_of(words: NDArray[np.uint64]) -> Columns:
    """Times since ``t0``, columns, rows and polarities of packed events, as int64.

    Args:
        words: ``[N]`` or ``[N, 2]``.

    Example:
        >>> [column.tolist() for column in columns_of(np.array([0x200080006], np.uint64))]
        [[2], [3], [4], [0]]
    """
    wide = words.ndim == 2
    low, bits = (words[:, 1], _WIDE) if wide else (words, _NARROW)
    t = words[:, 0] if wide else words >> np.uint64(32)
    x = low >> np.uint64(1) & np.uint64((1 << bits[2]) - 1)
    y = low >> np.uint64(bits[2] + 1) & np.uint64((1 << bits[1]) - 1)
    p = low & np.uint64(1)
    return t.view(np.int64), x.view(np.int64), y.view(np.int64), p.view(np.int64)


def check_words(words: NDArray[Any]) -> NDArray[np.uint64]:
    """A plain, read-only view of packed events.

    Raises: FormatError for an array of another dtype or shape.
    """
    # a memmap takes numba's slow path
    words = np.asarray(words)
    if words.dtype != WORD or (words.ndim != 1 and words.shape[1:] != (2,)):
        raise FormatError(
            f"packed events are uint64 of shape [N] or [N, 2], got {words.dtype} of shape "
            f"{list(words.shape)}"
        )
    if words.flags.writeable:
        words = words.view()
        words.flags.writeable = False
    return words


def _earliest(columns: Columns) -> int:
    return int(columns[0].min()) if columns[0].size else 0


def _copies(columns: Columns) -> Columns:
    t, x, y, p = (column.astype(np.int64) for column in columns)
    return t, x, y, p


def _bits(wide: bool) -> tuple[int, int, int]:
    return _WIDE if wide else _NARROW


def _pack(columns: Columns, t0: int, words: NDArray[np.uint64]) -> None:
    t, x, y, p = columns
    wide = words.ndim == 2
    low = y << (_bits(wide)[2] + 1)
    low |= x << 1
    low |= p
    since = t - t0
    if wide:
        words[:, 0], words[:, 1] = since.view(np.uint64), low.view(np.uint64)
    else:
        since <<= 32
        np.bitwise_or(since, low, out=words.view(np.int64))


def _fit(columns: Columns, t0: int, wide: bool) -> bool:
    limits = _limits(t0, wide)
    return all(
        not column.size or (int(column.min()) >= least and int(column.max()) <= most)
        for column, (least, most) in zip(columns, limits, strict=True)
    )


def _limits(t0: int, wide: bool) -> list[tuple[int, int]]:
    time, height, width = _bits(wide)
    return [(t0, t0 + (1 << time) - 1), *((0, (1 << n) - 1) for n in (width, height, 1))]


def _refuse(columns: Columns, t0: int, wide: bool) -> None:
    for name, column, (least, most) in zip("txyp", columns, _limits(t0, wide), strict=True):
        # compared as Python numbers: the limits may lie beyond int64
        wrong = np.flatnonzero([not least <= value <= most for value in column.tolist()])
        if wrong.size:
            i = int(wrong[0])
            cure = "" if wide or name == "p" or column[i] < least else "; pack with wide=True"
            holds = "two words hold" if wide else "a word holds"
            raise FormatError(
                f"event {i} has {name} = {column[i]}; {holds} {name} from {least} to {most} "
                f"({wrong.size} such events){cure}"
            )
