"""AEDAT 3.1: packets of typed events, as in DVS128 Gesture."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.events import EVENT, Streamed, check_writable
from snn_datasets.formats.worded import Step
from snn_datasets.formats.words import bytes_after
from snn_datasets.sensor import Size, chip_size

Chip: TypeAlias = Literal["DVS128", "DAVIS240C", "DAVIS346", "DAVIS640"]

_log = logging.getLogger(__name__)
_MAGIC = b"#!AER-DAT3.1"
_END = b"#!END-HEADER\r\n"
_LINE = 1 << 16
_PACKET = np.dtype(
    [("type", "<i2"), ("source", "<i2")]
    + [(field, "<i4") for field in ("size", "at", "overflow", "capacity", "number", "valid")]
)
_POLARITY = 1
# libcaer defines types from 0 to 13; types of users begin at 100.
_TYPES = range(1 << 8)
_EVENT = np.dtype([("data", "<u4"), ("t", "<i4")])
_TIME_BITS = 31
_CAPACITY = 4096


class _Packet(NamedTuple):
    """Header of a packet and where its events begin."""

    type: int
    source: int
    size: int
    at: int
    overflow: int
    capacity: int
    number: int
    valid: int
    offset: int


class Aedat31(Streamed):
    """AEDAT 3.1 (``.aedat``): text header, then packets; polarity events of all packets are read.

    A polarity event is, from the highest bit, 15 bits x, 15 bits y, polarity, validity, then 31
    bits of time, which the packet's overflow count goes on; the origin is at the upper left.
    Events that the recording marks as invalid are dropped; how many is logged.

    Args:
        chip: the camera, for the header of written files.

    Source: iniVation, AEDAT 3.1 format description.
    """

    extensions: ClassVar[tuple[str, ...]] = (".aedat",)
    magic: ClassVar[bytes] = _MAGIC

    def __init__(self, chip: Chip = "DVS128") -> None:
        self.chip = chip

    def size(self, file: BinaryIO, *, name: str) -> Size | None:
        """(width, height) of the chip that the header names."""
        return chip_size(_header(file, name=name))

    def blocks(self, file: BinaryIO, *, name: str) -> Iterator[NDArray[Any]]:
        """One block per packet. Raises: FormatError if the file is cut off, a packet contradicts
        itself, or events are off the sensor that the header names."""
        step = _Step(name=name, size=chip_size(_header(file, name=name)))
        for packet in _polarity(file, name=name):
            room = np.empty(packet.number, EVENT)
            yield room[: step.packet(file, packet, room)]
        step.tell()

    def read(self, file: BinaryIO, *, name: str) -> NDArray[Any]:
        """All events of ``file``. Raises: FormatError as :meth:`blocks`."""
        step = _Step(name=name, size=chip_size(_header(file, name=name)))
        packets = list(_polarity(file, name=name))
        events = np.empty(sum(packet.number for packet in packets), EVENT)
        count = 0
        for packet in packets:
            count += step.packet(file, packet, events[count:])
        step.tell()
        return events[:count]

    def write(self, file: BinaryIO, events: NDArray[Any], *, name: str) -> None:
        """Raises: FormatError for times of 2^62 us or more, or pixels off the chip."""
        width, height = chip_size(self.chip) or (1 << 15, 1 << 15)
        check_writable(events, name=name, width=width, height=height, end=1 << 62)
        lines = ["#Format: RAW", f"#Source 1: {self.chip}"]
        file.write("\r\n".join([_MAGIC.decode("ascii"), *lines, ""]).encode("ascii") + _END)
        overflow = events["t"] >> _TIME_BITS
        cuts = np.flatnonzero(np.diff(overflow)) + 1
        for part in np.split(events, cuts):
            for start in range(0, part.size, _CAPACITY):
                chunk = part[start : start + _CAPACITY]
                file.write(_packed(chunk))


def _header(file: BinaryIO, *, name: str) -> str:
    """The text of the header, after which the file then stands."""
    file.seek(0)
    lines = [file.readline(_LINE)]
    if not lines[0].startswith(_MAGIC):
        raise FormatError(f"{name} begins with {lines[0][:12]!r}, not with {_MAGIC!r}")
    while lines[-1] != _END:
        at = file.tell()
        lines.append(file.readline(_LINE))
        if not lines[-1].startswith(b"#"):
            raise FormatError(
                f"{name}: its header ends at byte {at} without {_END.strip().decode()}: the file "
                "is cut off or damaged"
            )
    return b"".join(lines).decode("utf-8", "replace")


class _Step(Step):
    """``state["high"]`` is the overflow count of the packet, ``state["lost"]`` counts invalid
    events."""

    layout = _EVENT
    unit: ClassVar[str] = "events"
    loop = "aedat31"

    def packet(self, file: BinaryIO, packet: _Packet, out: NDArray[Any]) -> int:
        """Decodes the events of a packet."""
        file.seek(packet.offset)
        self.state["high"] = packet.overflow
        word = np.frombuffer(file.read(packet.number * _EVENT.itemsize), _EVENT)
        return self(packet.offset, word, out) if word.size else 0

    def plain(self, offset: int, word: NDArray[Any], out: NDArray[Any]) -> int:
        valid = word["data"] & 1 == 1
        if not valid.all():
            word = word[valid]
            self.state["lost"] += valid.size - word.size
        data = word["data"]
        t = (self.state["high"] << _TIME_BITS) + word["t"]
        return self.fill(out, t=t, x=data >> 17, y=data >> 2 & 0x7FFF, p=data >> 1 & 1)

    def tell(self) -> None:
        invalid = int(self.state["lost"][0])
        if invalid:
            # That is the camera's own word, and no damage.
            _log.info("%s: %d events are marked invalid and dropped", self.name, invalid)
        self.state["lost"] = 0
        super().tell()


def _polarity(file: BinaryIO, *, name: str) -> Iterator[_Packet]:
    """The packets of polarity events, from where the file stands."""
    offset = file.tell()
    end = offset + bytes_after(file, offset)
    while offset < end:
        file.seek(offset)
        packet = _packet(file, offset, end, name=name)
        if packet.type == _POLARITY:
            yield packet
        offset = packet.offset + packet.capacity * packet.size


def _packet(file: BinaryIO, offset: int, end: int, *, name: str) -> _Packet:
    data = file.read(_PACKET.itemsize)
    if len(data) < _PACKET.itemsize:
        raise FormatError(
            f"{name} ends within the packet header at byte {offset}: {len(data)} of "
            f"{_PACKET.itemsize} bytes are there"
        )
    fields = np.frombuffer(data, _PACKET)[0].tolist()
    packet = _Packet(*fields, offset=offset + _PACKET.itemsize)
    if (
        packet.type not in _TYPES
        or packet.size <= 0
        or packet.overflow < 0
        or not 0 <= packet.valid <= packet.number <= packet.capacity
        or (packet.type == _POLARITY and packet.size != _EVENT.itemsize)
    ):
        raise FormatError(
            f"{name}: the packet header at byte {offset} contradicts itself ({packet}): the file "
            "is damaged"
        )
    left = end - offset - _PACKET.itemsize
    if packet.capacity * packet.size > left:
        raise FormatError(
            f"{name} ends within the packet at byte {offset}: {left} of "
            f"{packet.capacity * packet.size} bytes of events are there"
        )
    return packet


def _packed(events: NDArray[Any]) -> bytes:
    """A packet of events whose times share their overflow."""
    x, y, p = (events[field].astype(np.uint32) for field in "xyp")
    made = np.empty(events.size, _EVENT)
    made["data"] = x << 17 | y << 2 | p << 1 | 1
    made["t"] = events["t"] & (1 << _TIME_BITS) - 1
    n = events.size
    overflow = int(events["t"][0]) >> _TIME_BITS
    header = np.array((_POLARITY, 1, _EVENT.itemsize, 4, overflow, n, n, n), _PACKET)
    return header.tobytes() + made.tobytes()
