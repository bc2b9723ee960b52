"""AEDAT 2.0 and 1.0: addresses and times, as jAER writes them."""

from __future__ import annotations

import itertools
import re
from typing import Any, BinaryIO, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.formats.worded import Step, Worded
from snn_datasets.formats.words import Unwrap
from snn_datasets.sensor import Size, chip_size

Chip: TypeAlias = Literal["DVS128", "DAVIS240C", "DAVIS346"]

_LINE = 1 << 16
_ANY_VERSION = b"#!AER-DAT"
_NO_CHANGE = np.int32(-(1 << 31) | 1 << 10)
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f]")
_TEXT = bytes([9, 10, *range(32, 256)])
_CHIP = re.compile(r"AEChip:\s*(\S+)")
_READS_ONLY = {"writes": False, "reason": "jAER's old formats, which AEDAT 3.1 followed"}


class Aedat2(Worded):
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

    def step(self, file: BinaryIO, *, name: str) -> Step:
        """Raises: FormatError if the header is of another version or names an unknown chip; and,
        when the file is decoded, if it is cut off or holds events off its sensor."""
        header = _header(file)
        _check_version(header, self.magic, name=name)
        chip = self.chip or _chip(header)
        size = _size(chip)
        if size is None:
            named = f"the chip {chip!r}" if chip else "no chip"
            raise FormatError(
                f"{name}: its header names {named}; known are DVS128, DAVIS240 and DAVIS346: say "
                'which layout it has, as in {"name": "aedat2", "chip": "DVS128"}'
            )
        decoded = _Dvs128Step if "dvs128" in (chip or "").lower() else _DavisStep
        return decoded(name=name, start=len(header), size=size)


class Aedat1(Worded):
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

    def step(self, file: BinaryIO, *, name: str) -> Step:
        """Raises: FormatError if the header is of another version; and, when the file is decoded,
        if it is cut off."""
        header = _header(file)
        _check_version(header, self.magic, name=name)
        start = len(header)
        if self.chip == "DVS128":
            step: _Step = _Dvs128Step(name=name, start=start, size=(128, 128), compiled=False)
        else:
            step = _ChannelStep(name=name, start=start, size=(1 << 14, 1))
        step.layout = np.dtype([("address", f">u{self.address_bytes}"), ("t", ">u4")])
        step.ticks_per_us = self.ticks_per_us
        return step


class _Step(Step):
    """What the steps of addresses share.

    Args:
        compiled: whether numba's loop may be used, which reads addresses of four bytes.
    """

    layout = np.dtype([("address", ">u4"), ("t", ">u4")])
    unit: ClassVar[str] = "events"
    ticks_per_us = 1

    def __init__(self, *, name: str, start: int, size: Size, compiled: bool = True) -> None:
        if not compiled:
            self.loop = ""
        super().__init__(name=name, start=start, size=size)
        self.width = size[0]
        self._unwrap = Unwrap(32, self.state)

    def times(self, word: NDArray[Any]) -> NDArray[np.int64]:
        t = self._unwrap(word["t"].astype(np.uint32))
        return t if self.ticks_per_us == 1 else t // self.ticks_per_us


class _Dvs128Step(_Step):
    loop = "dvs128"

    def plain(self, offset: int, word: NDArray[Any], out: NDArray[Any]) -> int:
        t, address = self.times(word), word["address"].astype(np.int32)
        external = address >> 15 & 1 == 1
        if external.any():
            t, address = t[~external], address[~external]
        x = self.width - 1 - (address >> 1 & 0x7F)
        return self.fill(out, t=t, x=x, y=address >> 8 & 0x7F, p=1 - (address & 1))


class _DavisStep(_Step):
    loop = "davis"

    def plain(self, offset: int, word: NDArray[Any], out: NDArray[Any]) -> int:
        t, address = self.times(word), word["address"].astype(np.int32)
        kept = np.flatnonzero(address & _NO_CHANGE == 0)
        if kept.size < t.size:
            t, address = t[kept], address[kept]
        x = self.width - 1 - (address >> 12 & 0x3FF)
        return self.fill(out, t=t, x=x, y=address >> 22 & 0x1FF, p=address >> 11 & 1)


class _ChannelStep(_Step):
    loop = ""

    def plain(self, offset: int, word: NDArray[Any], out: NDArray[Any]) -> int:
        t, address = self.times(word), word["address"].astype(np.int64)
        x = np.minimum(address >> 1, np.iinfo(np.int16).max)
        return self.fill(out, t=t, x=x, y=np.zeros_like(x), p=address & 1)


def _header(file: BinaryIO) -> bytes:
    """The lines at the beginning that are text after a '#'; an address may begin with that too."""
    file.seek(0)
    lines = list[bytes]()
    while (line := file.readline(_LINE)).startswith(b"#") and line.endswith(b"\n"):
        lines.append(line)
    header = b"".join(lines)
    # Headers have thousands of lines: they are looked at together, and one by one if need be.
    if header.replace(b"\r\n", b"\n").translate(None, _TEXT):
        text = itertools.takewhile(lambda line: not _CONTROL.search(line.rstrip(b"\r\n")), lines)
        header = b"".join(text)
    return header


def _check_version(header: bytes, magic: bytes, *, name: str) -> None:
    """Raises: FormatError if a header says that it is of another version."""
    if header.startswith(_ANY_VERSION) and not header.startswith(magic):
        raise FormatError(
            f"{name} begins with {header[: len(magic)]!r}, not with {magic!r}: leave format out, "
            "or name that of the file"
        )


def _chip(header: bytes) -> str | None:
    found = _CHIP.search(header.decode("utf-8", "replace"))
    return found[1] if found else None


def _size(chip: str | None) -> Size | None:
    """Of the chips whose addresses are known."""
    return chip_size(chip) if chip and "davis640" not in chip.lower() else None
