"""Prophesee's raw event words EVT 2.0 and EVT 2.1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, BinaryIO, ClassVar

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.events import Streamed, check_writable, make_events
from snn_datasets.percent import PercentHeader, percent_lines
from snn_datasets.sensor import Size, check_on_sensor
from snn_datasets.words import Unwrap, interleave, last, words

Pixels = Annotated[int, Gt(0)] | None

_COORDINATE = 0x7FF
_OFF, _ON, _TIME_HIGH = 0, 1, 8
_KNOWN = np.isin(np.arange(16), (_OFF, _ON, _TIME_HIGH, 0xA, 0xE, 0xF))
_HIGH_BITS = 28
_LOW_BITS = 6


class Raw(Streamed):
    """What Prophesee's raw formats share: a text header that names the word format.

    Args:
        width, height: of the sensor, for the header of written files.
    """

    extensions: ClassVar[tuple[str, ...]] = (".raw",)
    magic: ClassVar[bytes] = b""
    version: ClassVar[str]
    known: ClassVar[NDArray[np.bool_]]

    def __init__(self, width: Pixels = None, height: Pixels = None) -> None:
        self.width = width
        self.height = height

    def recognises(self, file: BinaryIO) -> bool:
        """Whether the header names this version."""
        fields = PercentHeader.read(file).fields
        named = fields.get("format", "").partition(";")[0].upper()
        version = f"EVT{self.version.replace('.0', '').replace('.', '')}"
        return named == version if named else fields.get("evt") == self.version

    def size(self, file: BinaryIO, *, name: str) -> Size | None:
        """(width, height) from the header."""
        return PercentHeader.read(file).size()

    def header(self) -> bytes:
        """The header of a written file."""
        lines = [f"evt {self.version}"]
        if self.width and self.height:
            lines.append(f"geometry {self.width}x{self.height}")
        return percent_lines(*lines, "end")

    def check_types(self, types: NDArray[Any], *, name: str, offset: int, each: int) -> None:
        """Raises: FormatError at the first word of a type that the format does not define."""
        unknown = np.flatnonzero(~self.known[types])
        if unknown.size:
            i = int(unknown[0])
            raise FormatError(
                f"{name} holds at byte {offset + i * each} a word of type 0x{int(types[i]):X}, "
                f"which EVT {self.version} does not define: the file is damaged, or another version"
            )


class Evt2(Raw):
    """EVT 2.0: 32-bit words (``.raw``).

    From the highest bit, an event is 4 bits type (0 OFF, 1 ON), 6 low bits of the time, 11 bits x,
    11 bits y; a word of type 8 holds the 28 higher bits of the time. Events before the first of
    those have no time and are dropped.

    Args:
        width, height: of the sensor, for the header of written files.

    Example:
        >>> import io
        >>> data = b"% evt 2.0\\n" + bytes.fromhex("02000080 03180014")
        >>> Evt2().read(io.BytesIO(data), name="a.raw").tolist()
        [(144, 3, 3, 1)]

    Source: Prophesee, EVT 2.0 format description.
    """

    version: ClassVar[str] = "2.0"
    known: ClassVar[NDArray[np.bool_]] = _KNOWN

    def blocks(self, file: BinaryIO, *, name: str) -> Iterator[NDArray[Any]]:
        """Raises: FormatError if the file is cut off, holds unknown words or events off the
        sensor that its header names."""
        header = PercentHeader.read(file)
        clock, first = _Clock(), 0
        for offset, word in words(file, "<u4", name=name, unit="words", start=header.bytes):
            kind = word >> 28
            self.check_types(kind, name=name, offset=offset, each=4)
            high = clock(kind == _TIME_HIGH, word & 0xFFFFFFF)
            kept = (kind <= _ON) & (high >= 0)
            word, kind, high = word[kept], kind[kept], high[kept]
            events = make_events(
                t=high << _LOW_BITS | (word >> 22 & 0x3F),
                x=word >> 11 & _COORDINATE,
                y=word & _COORDINATE,
                p=kind,
            )
            check_on_sensor(events, header.size(), name=name, first=first)
            first += events.size
            yield events

    def write(self, file: BinaryIO, events: NDArray[Any], *, name: str) -> None:
        """Raises: FormatError for times of 2^34 us or more, or pixels above 2047."""
        check_writable(events, name=name, width=2048, height=2048, end=1 << 34, ascending=True)
        t, x, y, p = (events[field].astype(np.int64) for field in "txyp")
        high = t >> _LOW_BITS
        file.write(self.header())
        file.write(
            interleave(
                (_TIME_HIGH << 28 | high, np.diff(high, prepend=-1) != 0),
                (p << 28 | (t & 0x3F) << 22 | x << 11 | y, np.ones(t.size, np.bool_)),
            )
            .astype("<u4")
            .tobytes()
        )


class Evt21(Raw):
    """EVT 2.1: 64-bit words of up to 32 events beside each other (``.raw``).

    From the highest bit: 4 bits type, 6 low bits of the time, 11 bits x, 11 bits y, and 32 bits of
    which bit k stands for an event at x + k. A word of type 8 holds the 28 higher bits of the time
    in its upper half. Where the header says ``endianness=legacy``, the halves are swapped.

    Args:
        width, height: of the sensor, for the header of written files.

    Source: Prophesee, EVT 2.1 format description.
    """

    version: ClassVar[str] = "2.1"
    known: ClassVar[NDArray[np.bool_]] = _KNOWN

    def blocks(self, file: BinaryIO, *, name: str) -> Iterator[NDArray[Any]]:
        """Raises: FormatError if the file is cut off, holds unknown words or events off the
        sensor that its header names."""
        header = PercentHeader.read(file)
        halves = ["low", "high"]
        if header.fields.get("endianness", "little").lower() == "legacy":
            halves.reverse()
        layout = np.dtype([(half, "<u4") for half in halves])
        clock, first = _Clock(), 0
        for offset, word in words(file, layout, name=name, unit="words", start=header.bytes):
            upper = word["high"]
            kind = upper >> 28
            self.check_types(kind, name=name, offset=offset, each=8)
            high = clock(kind == _TIME_HIGH, upper & 0xFFFFFFF)
            kept = (kind <= _ON) & (high >= 0)
            upper, kind, high = upper[kept], kind[kept], high[kept]
            row, bit = set_bits(word["low"][kept])
            events = make_events(
                t=high[row] << _LOW_BITS | (upper[row] >> 22 & 0x3F),
                x=(upper[row] >> 11 & _COORDINATE) + bit,
                y=upper[row] & _COORDINATE,
                p=kind[row],
            )
            check_on_sensor(events, header.size() or (2048, 2048), name=name, first=first)
            first += events.size
            yield events

    def write(self, file: BinaryIO, events: NDArray[Any], *, name: str) -> None:
        """One word per event. Raises: FormatError as :meth:`Evt2.write`."""
        check_writable(events, name=name, width=2048, height=2048, end=1 << 34, ascending=True)
        t, x, y, p = (events[field].astype(np.int64) for field in "txyp")
        high = t >> _LOW_BITS
        upper = interleave(
            (_TIME_HIGH << 28 | high, np.diff(high, prepend=-1) != 0),
            (p << 28 | (t & 0x3F) << 22 | (x & ~31) << 11 | y, np.ones(t.size, np.bool_)),
        )
        made = np.zeros(upper.size, [("low", "<u4"), ("high", "<u4")])
        made["high"] = upper
        made["low"][upper >> 28 <= _ON] = 1 << (x & 31)
        file.write(self.header())
        file.write(made.tobytes())


class _Clock:
    """The higher bits of the time at each word, counted on over loops; -1 while unknown."""

    def __init__(self) -> None:
        self._unwrap = Unwrap(_HIGH_BITS)
        self._high = -1

    def __call__(self, given: NDArray[np.bool_], values: NDArray[Any]) -> NDArray[np.int64]:
        counted = np.zeros(values.size, np.int64)
        counted[given] = self._unwrap(values[given])
        high = last(counted, given, self._high)
        self._high = int(high[-1])
        return high


def set_bits(masks: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Mask number and position of each set bit of 32, mask by mask from the lowest bit.

    Example:
        >>> [part.tolist() for part in set_bits(np.array([5, 0, 2]))]
        [[0, 0, 2], [0, 2, 1]]
    """
    octets = masks.astype("<u4").view(np.uint8).reshape(-1, 4)
    row, bit = np.nonzero(np.unpackbits(octets, axis=1, bitorder="little"))
    return row, bit
