"""Prophesee's raw event words EVT 3.0."""

from __future__ import annotations

from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from snn_datasets.events import check_writable
from snn_datasets.formats.evt2 import Raw, RawStep, set_bits
from snn_datasets.formats.worded import Step
from snn_datasets.formats.words import interleave, last
from snn_datasets.sensor import Size

_ADDR_Y, _ADDR_X, _BASE_X, _VECT_12, _VECT_8, _TIME_LOW, _TIME_HIGH = 0, 2, 3, 4, 5, 6, 8
_OTHERS = (7, 0xA, 0xE, 0xF)
_COORDINATE = 0x7FF
_LARGEST = (2048, 2048)
_NOWHERE = -(1 << 60)
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

    def step(self, file: BinaryIO, *, name: str) -> Step:
        """Raises: FormatError if the header names other words; and, when the file is decoded, if
        it is cut off, holds unknown words, or events off the sensor that the header names."""
        header = self.header_of(file, name=name)
        return _Step(name=name, start=header.bytes, size=header.size() or _LARGEST)

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


class _Step(RawStep):
    layout = np.dtype("<u2")
    version: ClassVar[str] = "3.0"
    types: ClassVar[tuple[int, ...]] = (
        *(_ADDR_Y, _ADDR_X, _BASE_X, _VECT_12, _VECT_8, _TIME_LOW, _TIME_HIGH),
        *_OTHERS,
    )
    time_bits: ClassVar[int] = _TIME_BITS
    most: ClassVar[int] = 12
    loop = "evt3"
    seen: ClassVar[str] = "<u2"

    def __init__(self, *, name: str, start: int, size: Size) -> None:
        super().__init__(name=name, start=start, size=size)
        self.state["base"] = _NOWHERE

    def plain(self, offset: int, word: NDArray[Any], out: NDArray[Any]) -> int:
        kind, state = word >> 12, self.state
        self.check_types(kind, offset)
        single, wide = kind == _ADDR_X, kind == _VECT_12
        at = np.flatnonzero(single | wide | (kind == _VECT_8))
        t = self._time(kind, word, at)
        y = self._latest("y", word & _COORDINATE, kind == _ADDR_Y, at)
        is_base = kind == _BASE_X
        p = self._latest("p", word >> 11 & 1, is_base, at)
        # A vector word moves the base on, so the base is what was set plus the moves since.
        moves = np.where(wide, 12, np.where(kind == _VECT_8, 8, 0))
        moved = np.cumsum(moves)
        set_to = (word[is_base] & _COORDINATE) - moved[is_base]
        base = last(set_to, is_base, int(state["base"][0]), at) + moved[at] - moves[at]
        state["base"] = (set_to[-1] if set_to.size else state["base"][0]) + moved[-1]

        single, event, moves = single[at], word[at], moves[at]
        masks = np.where(single, 1, event & (1 << moves) - 1).astype("<u2")
        known = (t >= 0) & (y >= 0) & (single | (base >= 0))
        if not known.all():
            state["lost"] += set_bits(masks[~known])[0].size
            masks[~known] = 0
        row, bit = set_bits(masks)
        x = np.where(single, event & _COORDINATE, base)[row] + bit
        # Damaged vectors run off any sensor; they must not wrap round to a good column.
        x = np.minimum(x, np.iinfo(np.int16).max)
        p = np.where(single, event >> 11 & 1, p)
        return self.fill(out, t=t[row], x=x, y=y[row], p=p[row])

    def _latest(
        self, field: str, values: NDArray[Any], given: NDArray[np.bool_], at: NDArray[np.intp]
    ) -> NDArray[np.int64]:
        """What was last said, and is noted in the state."""
        said = values[given]
        found = last(said, given, int(self.state[field][0]), at)
        if said.size:
            self.state[field] = said[-1]
        return found

    def _time(
        self, kind: NDArray[Any], word: NDArray[Any], at: NDArray[np.intp]
    ) -> NDArray[np.int64]:
        """Microseconds at some words, -1 before the first higher part."""
        given = kind == _TIME_HIGH
        counted = self.unwrap(word[given] & 0xFFF)
        before = int(self.state["high"][0])
        high = last(counted, given, before, at)
        changed = given.copy()
        changed[given] = np.diff(counted, prepend=before) != 0
        if counted.size:
            self.state["high"] = counted[-1]
        is_low = kind == _TIME_LOW
        low = self._latest("low", np.where(is_low, word & 0xFFF, 0), is_low | changed, at)
        return np.where(high < 0, -1, high << _TIME_BITS | low)
