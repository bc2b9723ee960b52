"""Prophesee's raw event words EVT 3.0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from snn_datasets.events import check_writable, make_events
from snn_datasets.evt2 import Raw, set_bits
from snn_datasets.percent import PercentHeader
from snn_datasets.sensor import check_on_sensor
from snn_datasets.words import Unwrap, interleave, last, words

_ADDR_Y, _ADDR_X, _BASE_X, _VECT_12, _VECT_8, _TIME_LOW, _TIME_HIGH = 0, 2, 3, 4, 5, 6, 8
_OTHERS = (7, 0xA, 0xE, 0xF)
_COORDINATE = 0x7FF
_LARGEST = (2048, 2048)
_TIME_BITS = 12
# From here the writer needs so many words to count the loops up that the file would be all clock.
_END = 1 << 40
_STRIDE = (1 << _TIME_BITS - 1) - 1


class Evt3(Raw):
    """EVT 3.0: 16-bit words that each change a part of the next event (``.raw``).

    The highest 4 bits are the type: 0 y; 2 x and polarity, which makes an event; 3 first x and
    polarity of a vector, whose words 4 (12 bits) and 5 (8 bits) make an event per set bit; 6 the
    lower 12 bits of the time, 8 the higher 12. A higher part that differs from the one before sets
    the lower to 0; one that falls by more than half its range begins another loop of 2^24 us.
    Events before the first time or y are dropped.

    Args:
        width, height: of the sensor, for the header of written files.

    Source: Prophesee, EVT 3.0 format description, and the rule for times of OpenEB.
    """

    version: ClassVar[str] = "3.0"
    known: ClassVar[NDArray[np.bool_]] = np.isin(
        np.arange(16),
        (_ADDR_Y, _ADDR_X, _BASE_X, _VECT_12, _VECT_8, _TIME_LOW, _TIME_HIGH, *_OTHERS),
    )

    def blocks(self, file: BinaryIO, *, name: str) -> Iterator[NDArray[Any]]:
        """Raises: FormatError if the file is cut off, holds unknown words or events off the
        sensor that its header names."""
        header = PercentHeader.read(file)
        state, first = _State(Unwrap(_TIME_BITS)), 0
        for offset, word in words(file, "<u2", name=name, unit="words", start=header.bytes):
            kind = word >> 12
            self.check_types(kind, name=name, offset=offset, each=2)
            events = state.events(kind, word.astype(np.int64))
            check_on_sensor(events, header.size() or _LARGEST, name=name, first=first)
            first += events.size
            yield events

    def write(self, file: BinaryIO, events: NDArray[Any], *, name: str) -> None:
        """One word of type 2 per event. Raises: FormatError for times that descend or reach 2^40
        us, or pixels above 2047."""
        check_writable(events, name=name, width=2048, height=2048, end=_END, ascending=True)
        t, x, y, p = (events[field].astype(np.int64) for field in "txyp")
        high = t >> _TIME_BITS
        every = np.ones(t.size, np.bool_)
        # The reader sees a loop only by a fall of more than half: far steps are made of short ones.
        steps = np.diff(high, prepend=0)
        between = np.maximum(steps - 1, 0) // _STRIDE
        made = interleave(
            (_TIME_HIGH << 12 | (high & 0xFFF), every),
            (_TIME_LOW << 12 | (t & 0xFFF), every),
            (_ADDR_Y << 12 | y, every),
            (_ADDR_X << 12 | p << 11 | x, every),
        )
        owner = np.repeat(np.arange(t.size), between)
        number = np.arange(owner.size) - np.repeat(np.cumsum(between) - between, between) + 1
        strides = (high - steps)[owner] + number * _STRIDE
        made = np.insert(made, 4 * owner, _TIME_HIGH << 12 | (strides & 0xFFF))
        made = np.concatenate([[_TIME_HIGH << 12], made])
        file.write(self.header())
        file.write(made.astype("<u2").tobytes())


@dataclass
class _State:
    """What the words so far say about the next event; -1 where they say nothing."""

    loops: Unwrap
    high: int = -1
    low: int = 0
    y: int = -1
    base: int = -(1 << 60)
    p: int = 0

    def events(self, kind: NDArray[Any], word: NDArray[np.int64]) -> NDArray[Any]:
        """The events of one block."""
        t = self._time(kind, word)
        y = last(word & _COORDINATE, kind == _ADDR_Y, self.y)
        is_base = kind == _BASE_X
        p = last(word >> 11 & 1, is_base, self.p)
        # A vector word moves the base on, so the base is what was set plus the moves since.
        moves = np.where(kind == _VECT_12, 12, np.where(kind == _VECT_8, 8, 0))
        moved = np.cumsum(moves)
        base = last((word & _COORDINATE) - moved, is_base, self.base) + moved
        self.y, self.p, self.base = int(y[-1]), int(p[-1]), int(base[-1])

        single = kind == _ADDR_X
        kept = (single | (moves > 0)) & (t >= 0) & (y >= 0) & (single | (base >= moves))
        single, word, moves = single[kept], word[kept], moves[kept]
        masks = np.where(single, 1, word & (1 << moves) - 1)
        starts = np.where(single, word & _COORDINATE, base[kept] - moves)
        row, bit = set_bits(masks)
        return make_events(
            t=t[kept][row],
            # Damaged vectors run off any sensor; they must not wrap round to a good column.
            x=np.minimum(starts[row] + bit, np.iinfo(np.int16).max),
            y=y[kept][row],
            p=np.where(single, word >> 11 & 1, p[kept])[row],
        )

    def _time(self, kind: NDArray[Any], word: NDArray[np.int64]) -> NDArray[np.int64]:
        """Microseconds at each word, -1 before the first higher part."""
        given = kind == _TIME_HIGH
        counted = np.zeros(word.size, np.int64)
        counted[given] = self.loops(word[given] & 0xFFF)
        high = last(counted, given, self.high)
        changed = np.diff(high, prepend=self.high) != 0
        is_low = kind == _TIME_LOW
        low = last(np.where(is_low, word & 0xFFF, 0), is_low | changed, self.low)
        self.high, self.low = int(high[-1]), int(low[-1])
        return np.where(high < 0, -1, high << _TIME_BITS | low)
