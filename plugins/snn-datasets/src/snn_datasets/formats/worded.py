"""Formats of fixed-size words: how their blocks become events, compiled or with numpy."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from snn_datasets.compiled import loops
from snn_datasets.events import EVENT, Streamed, join_events
from snn_datasets.formats.words import bytes_after, words
from snn_datasets.sensor import Size, check_on_sensor

STATE = np.dtype(
    {
        "names": [
            *("raw", "wraps", "time", "patience", "count", "falls", "fall", "lost"),
            *("high", "low", "y", "base", "p"),
        ],
        "formats": ["<i8"] * 13,
    }
)
"""What the words so far say: the clock's last value and its wraps, the last event's time and how
far the next may fall behind it, how many events there were, how many of them fell further and which
was the first, how many could not be placed, and parts of the next event."""

FALL_US = 1_000_000
"""Times that fall by more are told: events of a camera are out of order by far less."""

_ANY = 1 << 16
_LONG_AGO = -(1 << 61)
_log = logging.getLogger(__name__)


class Step(ABC):
    """Decodes the words of one file, block by block.

    Both ways, numba's loop and :meth:`plain`, read and write :attr:`state`, so that a block that
    the loop refuses is done again by numpy, which says what is wrong with it.

    Args:
        name: what error texts call the file.
        start: bytes of its header.
        size: of the sensor, if it is known.

    Attributes:
        layout: dtype of a word.
        unit: what error texts call the words.
        most: events that a word can make.
        loop: name of numba's loop, "" if there is none.
        seen: dtype of the numbers that the loop sees.
    """

    layout: DTypeLike
    unit: ClassVar[str] = "words"
    most: ClassVar[int] = 1
    loop: str = ""
    seen: ClassVar[str] = "<u4"

    def __init__(self, *, name: str, start: int = 0, size: Size | None = None) -> None:
        self.name = name
        self.start = start
        self.size = size
        self.state = np.zeros(1, STATE)
        self.state["time"] = _LONG_AGO
        self.state["patience"] = FALL_US
        self.state[["high", "y"]] = -1, -1
        compiled = loops("formats.word_loops") if self.loop else None
        self._loop = getattr(compiled, self.loop) if compiled else None

    def __call__(self, offset: int, word: NDArray[Any], out: NDArray[Any]) -> int:
        """Writes the events of one block to ``out``, which has room for :attr:`most` per word.

        Args:
            offset: byte of the file that the block begins at.

        Returns: how many they are.
        Raises: FormatError if the words are none of this format, or make events off the sensor.
        """
        if self._loop is not None:
            before = self.state.copy()
            width, height = self.size or (_ANY, _ANY)
            count = self._loop(word.reshape(-1).view(self.seen), self.state, out, width, height)
            if count >= 0:
                return count
            self.state[:] = before
        return self.plain(offset, word, out)

    @abstractmethod
    def plain(self, offset: int, word: NDArray[Any], out: NDArray[Any]) -> int:
        """The same with numpy."""

    def fill(self, out: NDArray[Any], *, t: Any, x: Any, y: Any, p: Any) -> int:
        """Writes columns to the beginning of ``out`` and counts them. Returns: how many they are.

        Raises: FormatError for events off the sensor.
        """
        events, state = out[: len(t)], self.state
        events["t"], events["x"], events["y"], events["p"] = t, x, y, p
        first = int(state["count"][0])
        if not len(t):
            return 0
        width, height = self.size or (_ANY, _ANY)
        if int(x.max()) >= width or int(y.max()) >= height or min(int(x.min()), int(y.min())) < 0:
            check_on_sensor(events, self.size, name=self.name, first=first)
        self._watch(t, first)
        state["count"] += len(t)
        return len(t)

    def _watch(self, t: NDArray[np.int64], first: int) -> None:
        """Counts the times that fall."""
        state = self.state
        before = state["time"][0]
        state["time"] = t[-1]
        if t[0] >= before and not (t[1:] < t[:-1]).any():
            return
        falls = np.flatnonzero(np.diff(t, prepend=before) < -FALL_US)
        if falls.size and not state["falls"][0]:
            state["fall"] = first + falls[0]
        state["falls"] += falls.size

    def tell(self) -> None:
        """Logs, at the end of the file, what was dropped and what is odd."""
        falls, fall, lost = (int(self.state[field][0]) for field in ("falls", "fall", "lost"))
        if lost:
            _log.warning(
                "%s: %d events are dropped, for which the file has said no time or place yet: it "
                "was cut off in front, or is damaged",
                *(self.name, lost),
            )
        if falls:
            _log.warning(
                "%s: times fall by more than a second %d times, first at event %d: the clock was "
                "set back, or the file is damaged",
                *(self.name, falls, fall),
            )


class Worded(Streamed):
    """A format that is a header and then words of one size."""

    @abstractmethod
    def step(self, file: BinaryIO, *, name: str) -> Step:
        """What decodes this file."""

    def blocks(self, file: BinaryIO, *, name: str) -> Iterator[NDArray[Any]]:
        """Raises: FormatError if the file is cut off, or as its decoding step says."""
        step = self.step(file, name=name)
        for block in _blocks(file, step):
            yield join_events([block])

    def read(self, file: BinaryIO, *, name: str) -> NDArray[Any]:
        """All events of ``file``. Raises: FormatError as :meth:`blocks`."""
        step = self.step(file, name=name)
        # One array: its memory is touched once, and in large pages where there are such.
        events = np.empty(bytes_after(file, step.start) // np.dtype(step.layout).itemsize, EVENT)
        count = 0
        if step.most == 1:
            for offset, word in _words(file, step):
                count += step(offset, word, events[count:])
            step.tell()
        else:
            for block in _blocks(file, step):
                if events.size < count + block.size:
                    larger = np.empty(2 * (count + block.size), EVENT)
                    _copy(events[:count], larger)
                    events = larger
                _copy(block, events[count:])
                count += block.size
        # What was never touched takes no memory; but a small array must not hold a large one.
        return events[:count] if 2 * count >= events.size else join_events([events[:count]])


def _copy(events: NDArray[Any], to: NDArray[Any]) -> None:
    """As bytes: see :func:`join_events`."""
    to[: events.size].view(np.uint8)[:] = events.view(np.uint8)


def _blocks(file: BinaryIO, step: Step) -> Iterator[NDArray[Any]]:
    """Events block by block, each in the memory of the one before."""
    room = np.empty(0, EVENT)
    for offset, word in _words(file, step):
        if room.size < len(word) * step.most:
            room = np.empty(len(word) * step.most, EVENT)
        yield room[: step(offset, word, room)]
    step.tell()


def _words(file: BinaryIO, step: Step) -> Iterator[tuple[int, NDArray[Any]]]:
    return words(file, step.layout, name=step.name, unit=step.unit, start=step.start)
