"""AEDAT 2.0 and 1.0: addresses and times, as jAER writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.events import Streamed, make_events
from snn_datasets.sensor import Size, check_on_sensor, chip_size
from snn_datasets.words import Unwrap, words

Chip: TypeAlias = Literal["DVS128", "DAVIS240C", "DAVIS346"]

_LINE = 1 << 16
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f]")
_CHIP = re.compile(r"AEChip:\s*(\S+)")
_READS_ONLY = {"writes": False, "reason": "jAER's old formats, which AEDAT 3.1 followed"}


class Aedat2(Streamed):
    """AEDAT 2.0 (``.aedat``): text header, then big-endian 32-bit addresses and times.

    The header names the chip, which decides what an address means. DVS128: bit 0 polarity (0 is
    ON), bits 7..1 x, 14..8 y, bit 15 an external event (dropped). DAVIS: bit 31 no event of the
    pixels' change (dropped), bits 30..22 y, 21..12 x, bit 11 polarity, bit 10 external (dropped).
    As in jAER x is mirrored; y counts from below, as in the file.

    Args:
        chip: for files whose header names none.

    Source: jAER, AEDAT 2.0 file format.
    """

    extensions: ClassVar[tuple[str, ...]] = (".aedat",)
    magic: ClassVar[bytes] = b"#!AER-DAT2.0"
    conformance: ClassVar[dict[str, Any]] = _READS_ONLY

    def __init__(self, chip: Chip | None = None) -> None:
        self.chip = chip

    def size(self, file: BinaryIO, *, name: str) -> Size | None:
        """(width, height) of the chip."""
        return _size(self.chip or _chip(_header(file)))

    def blocks(self, file: BinaryIO, *, name: str) -> Iterator[NDArray[Any]]:
        """Raises: FormatError if the file is cut off, names an unknown chip, or holds events off
        its sensor."""
        header = _header(file)
        chip = self.chip or _chip(header)
        size = _size(chip)
        if size is None:
            named = f"the chip {chip!r}" if chip else "no chip"
            raise FormatError(
                f"{name}: its header names {named}; known are DVS128, DAVIS240 and DAVIS346: say "
                'which layout it has, as in {"name": "aedat2", "chip": "DVS128"}'
            )
        layout = np.dtype([("address", ">u4"), ("t", ">u4")])
        unwrap, first = Unwrap(32), 0
        for _, word in words(file, layout, name=name, unit="events", start=len(header)):
            t, address = unwrap(word["t"]), word["address"].astype(np.int64)
            decode = _dvs128 if "dvs128" in (chip or "").lower() else _davis
            events = decode(t, address, size[0])
            check_on_sensor(events, size, name=name, first=first)
            first += events.size
            yield events


class Aedat1(Streamed):
    """AEDAT 1.0: big-endian addresses and times, with or without a text header.

    Files without a header are asked for by name: {"name": "aedat1", "chip": "channels"}.

    Args:
        chip: what an address means: that of a DVS128 (see :class:`Aedat2`), or "channels", where it
            is a number of a cochlea's channel with polarity in bit 0: x = address >> 1, y = 0.
        address_bytes: 2, or 4.
        ticks_per_us: of the times: 1, or 5 for ticks of 0.2 us, which only file names say.

    Source: jAER, AEDAT 1.0 file format; the files of the Neuromorphic Auditory Sensor.
    """

    extensions: ClassVar[tuple[str, ...]] = (".aedat", ".dat")
    magic: ClassVar[bytes] = b"#!AER-DAT1.0"
    conformance: ClassVar[dict[str, Any]] = _READS_ONLY

    def __init__(
        self,
        chip: Literal["DVS128", "channels"] = "DVS128",
        address_bytes: Literal[2, 4] = 2,
        ticks_per_us: Literal[1, 5] = 1,
    ) -> None:
        self.chip = chip
        self.address_bytes = address_bytes
        self.ticks_per_us = ticks_per_us

    def blocks(self, file: BinaryIO, *, name: str) -> Iterator[NDArray[Any]]:
        """Raises: FormatError if the file is cut off."""
        start = len(_header(file))
        layout = np.dtype([("address", f">u{self.address_bytes}"), ("t", ">u4")])
        unwrap, first = Unwrap(32), 0
        for _, word in words(file, layout, name=name, unit="events", start=start):
            t = unwrap(word["t"]) // self.ticks_per_us
            address = word["address"].astype(np.int64)
            if self.chip == "DVS128":
                events = _dvs128(t, address, 128)
            else:
                far = np.minimum(address >> 1, np.iinfo(np.int16).max)
                events = make_events(t=t, x=far, y=np.zeros_like(far), p=address & 1)
                check_on_sensor(events, (1 << 14, 1), name=name, first=first)
            first += events.size
            yield events


def _dvs128(t: NDArray[Any], address: NDArray[np.int64], width: int) -> NDArray[Any]:
    kept = address >> 15 & 1 == 0
    t, address = t[kept], address[kept]
    x = width - 1 - (address >> 1 & 0x7F)
    return make_events(t=t, x=x, y=address >> 8 & 0x7F, p=1 - (address & 1))


def _davis(t: NDArray[Any], address: NDArray[np.int64], width: int) -> NDArray[Any]:
    kept = (address >> 31 == 0) & (address >> 10 & 1 == 0)
    t, address = t[kept], address[kept]
    x = width - 1 - (address >> 12 & 0x3FF)
    return make_events(t=t, x=x, y=address >> 22 & 0x1FF, p=address >> 11 & 1)


def _header(file: BinaryIO) -> bytes:
    """The lines at the beginning that are text after a '#'; an address may begin with that too."""
    file.seek(0)
    lines = list[bytes]()
    while (line := file.readline(_LINE)).startswith(b"#"):
        if not line.endswith(b"\n") or _CONTROL.search(line.rstrip(b"\r\n")):
            break
        lines.append(line)
    return b"".join(lines)


def _chip(header: bytes) -> str | None:
    found = _CHIP.search(header.decode("utf-8", "replace"))
    return found[1] if found else None


def _size(chip: str | None) -> Size | None:
    """Of the chips whose addresses are known."""
    return chip_size(chip) if chip and "davis640" not in chip.lower() else None
