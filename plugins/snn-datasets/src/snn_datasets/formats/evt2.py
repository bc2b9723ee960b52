"""Prophesee's raw event words EVT 2.0 and EVT 2.1."""

from __future__ import annotations

from typing import Annotated, Any, BinaryIO, ClassVar

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.events import check_writable
from snn_datasets.formats.percent import PercentHeader, percent_lines
from snn_datasets.formats.worded import Step, Worded
from snn_datasets.formats.words import Unwrap, interleave, last
from snn_datasets.sensor import Size

Pixels = Annotated[int, Gt(0)] | None

_COORDINATE = 0x7FF
_OFF, _ON, _TIME_HIGH = 0, 1, 8
_LARGEST = (2048, 2048)
_LOW_BITS = 6


class Raw(Worded):
    """What Prophesee's raw formats share: a text header that names the word format.

    Args:
        width, height: of the sensor, for the header of written files.
    """

    extensions: ClassVar[tuple[str, ...]] = (".raw",)
    magic: ClassVar[bytes] = b""
    version: ClassVar[str]

    def __init__(self, width: Pixels = None, height: Pixels = None) -> None:
        self.width = width
        self.height = height

    def recognises(self, file: BinaryIO) -> bool:
        """Whether the header names this version."""
        return _named(PercentHeader.read(file)) == _short(self.version)

    def header_of(self, file: BinaryIO, *, name: str) -> PercentHeader:
        """The header of a file. Raises: FormatError if it names other words than this version's."""
        header = PercentHeader.read(file)
        named = _named(header)
        if named and named != _short(self.version):
            raise FormatError(
                f"{name}: its header names words of {named}, this is the decoder of "
                f"{_short(self.version)}: leave format out, or name that of the file"
            )
        return header

    def size(self, file: BinaryIO, *, name: str) -> Size | None:
        """(width, height) from the header."""
        return PercentHeader.read(file).size()

    def header(self) -> bytes:
        """The header of a written file."""
        lines = [f"evt {self.version}"]
        if self.width and self.height:
            lines.append(f"geometry {self.width}x{self.height}")
        return percent_lines(*lines, "end")


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

    def step(self, file: BinaryIO, *, name: str) -> Step:
        """Raises: FormatError if the header names other words; and, when the file is decoded, if
        it is cut off, holds unknown words, or events off the sensor that the header names."""
        header = self.header_of(file, name=name)
        return _Evt2Step(name=name, start=header.bytes, size=header.size())

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

    def step(self, file: BinaryIO, *, name: str) -> Step:
        """Raises: FormatError if the header names other words; and, when the file is decoded, if
        it is cut off, holds unknown words, or events off the sensor that the header names."""
        header = self.header_of(file, name=name)
        legacy = header.fields.get("endianness", "little").lower() == "legacy"
        size = header.size() or _LARGEST
        return _Evt21Step(legacy, name=name, start=header.bytes, size=size)

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


def _named(header: PercentHeader) -> str:
    """The word format that a header names, such as EVT21; "" if it names none."""
    named = header.fields.get("format", "").partition(";")[0].upper()
    return named or _short(header.fields.get("evt", ""))


def _short(version: str) -> str:
    return f"EVT{version.removesuffix('.0').replace('.', '')}" if version else ""


class RawStep(Step):
    """What the steps of Prophesee's raw words share.

    Attributes:
        version: of the words.
        types: numbers of the types that it defines.
        time_bits: of the higher part of the time that a word holds.
    """

    version: ClassVar[str]
    types: ClassVar[tuple[int, ...]] = (_OFF, _ON, _TIME_HIGH, 0xA, 0xE, 0xF)
    time_bits: ClassVar[int] = 28

    def __init__(self, *, name: str, start: int, size: Size | None) -> None:
        super().__init__(name=name, start=start, size=size)
        self.unwrap = Unwrap(self.time_bits, self.state)

    def check_types(self, types: NDArray[Any], offset: int) -> None:
        """Raises: FormatError at the first word of a type that the format does not define."""
        counts = np.bincount(types, minlength=16)
        if counts[list(self.types)].sum() == types.size:
            return
        each = np.dtype(self.layout).itemsize
        i = int(np.flatnonzero(~np.isin(types, self.types))[0])
        raise FormatError(
            f"{self.name} holds at byte {offset + i * each} a word of type 0x{int(types[i]):X}, "
            f"which EVT {self.version} does not define: the file is damaged, or another version"
        )

    def events_at(
        self, kind: NDArray[Any], values: NDArray[Any]
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Places of the words of events, and the higher part of the time there; -1 if unknown."""
        given = kind == _TIME_HIGH
        counted = self.unwrap(values[given] & 0xFFFFFFF)
        at = np.flatnonzero(kind <= _ON)
        high = last(counted, given, int(self.state["high"][0]), at)
        if counted.size:
            self.state["high"] = counted[-1]
        return at, high


class _Evt2Step(RawStep):
    layout = np.dtype("<u4")
    version: ClassVar[str] = "2.0"
    loop = "evt2"

    def plain(self, offset: int, word: NDArray[Any], out: NDArray[Any]) -> int:
        kind = word >> 28
        self.check_types(kind, offset)
        at, high = self.events_at(kind, word)
        if high.size and high[0] < 0:
            at, high = at[high >= 0], high[high >= 0]
            self.state["lost"] += np.count_nonzero(kind <= _ON) - at.size
        event = word[at]
        t = high << _LOW_BITS | (event >> 22 & 0x3F)
        x, y = event >> 11 & _COORDINATE, event & _COORDINATE
        return self.fill(out, t=t, x=x, y=y, p=event >> 28)


class _Evt21Step(RawStep):
    version: ClassVar[str] = "2.1"
    most: ClassVar[int] = 32

    def __init__(self, legacy: bool, *, name: str, start: int, size: Size) -> None:
        self.loop = "evt21_legacy" if legacy else "evt21"
        halves = ("high", "low") if legacy else ("low", "high")
        self.layout = np.dtype([(half, "<u4") for half in halves])
        super().__init__(name=name, start=start, size=size)

    def plain(self, offset: int, word: NDArray[Any], out: NDArray[Any]) -> int:
        upper, low = word["high"], word["low"]
        kind = upper >> 28
        self.check_types(kind, offset)
        at, high = self.events_at(kind, upper)
        if high.size and high[0] < 0:
            self.state["lost"] += set_bits(low[at[high < 0]])[0].size
            at, high = at[high >= 0], high[high >= 0]
        row, bit = set_bits(low[at])
        event, high = upper[at][row], high[row]
        t = high << _LOW_BITS | (event >> 22 & 0x3F)
        x, y = (event >> 11 & _COORDINATE) + bit, event & _COORDINATE
        return self.fill(out, t=t, x=x, y=y, p=event >> 28)


def set_bits(masks: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Mask number and position of each set bit, mask by mask from the lowest bit.

    Args:
        masks: little-endian words.

    Example:
        >>> [part.tolist() for part in set_bits(np.array([5, 0, 2], "<u2"))]
        [[0, 0, 2], [0, 2, 1]]
    """
    bits = np.unpackbits(np.ascontiguousarray(masks).view(np.uint8), bitorder="little")
    return np.divmod(np.flatnonzero(bits.view(np.bool_)), 8 * masks.itemsize)
