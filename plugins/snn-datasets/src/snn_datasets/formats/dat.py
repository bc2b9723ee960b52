"""Prophesee's and ATIS's ``.dat`` files, and their boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.events import check_writable
from snn_datasets.formats.evt2 import Pixels
from snn_datasets.formats.percent import PercentHeader, percent_lines
from snn_datasets.formats.worded import Step, Worded
from snn_datasets.formats.words import Unwrap
from snn_datasets.sensor import Size

BOX = np.dtype(
    [
        ("t", "<i8"),
        ("x", "<f4"),
        ("y", "<f4"),
        ("w", "<f4"),
        ("h", "<f4"),
        ("class_id", "<u4"),
        ("track_id", "<u4"),
        ("class_confidence", "<f4"),
    ],
    align=True,
)
"""One box of ``*_bbox.npy``: 40 bytes, t in microseconds, the rest in pixels."""

_WORD = np.dtype([("t", "<u4"), ("data", "<u4")])
_EVENT_BYTES = 8
_CD = 0x0C
_RENAMED = {"ts": "t", "confidence": "class_confidence"}


class Dat(Worded):
    """Prophesee's and ATIS's events of eight bytes (``.dat``): 32 bits of time, 32 bits of data.

    The data are, from the highest bit, 4 bits polarity, 14 bits y, 14 bits x (version 2), or, with
    bit 17 the highest, 1 bit polarity, 8 bits y, 9 bits x (version 1, ATIS). The header says the
    version; a file without header, which must be asked for by name, is of version 2. Times wrap at
    2^32 us and are counted on.

    Args:
        width, height: of the sensor, for the header of written files, which are of version 2.

    Example:
        >>> import io
        >>> data = b"% Version 2\\n" + bytes([12, 8, 9, 0, 0, 0, 3, 0, 1, 16])
        >>> Dat().read(io.BytesIO(data), name="a.dat").tolist()
        [(9, 3, 4, 1)]

    Source: Prophesee, DAT file format description.
    """

    extensions: ClassVar[tuple[str, ...]] = (".dat",)
    magic: ClassVar[bytes] = b""

    def __init__(self, width: Pixels = None, height: Pixels = None) -> None:
        self.width = width
        self.height = height

    def recognises(self, file: BinaryIO) -> bool:
        """Whether the header is that of a ``.dat`` file."""
        header = PercentHeader.read(file)
        return "version" in header.fields and not {"evt", "format"} & set(header.fields)

    def size(self, file: BinaryIO, *, name: str) -> Size | None:
        """(width, height) from the header."""
        return PercentHeader.read(file).size()

    def step(self, file: BinaryIO, *, name: str) -> Step:
        """Raises: FormatError if the file is of another version or event size; and, when it is
        decoded, if it is cut off or holds events off the sensor that its header names."""
        header = PercentHeader.read(file)
        raw = {"evt", "format"} & set(header.fields)
        if raw:
            raise FormatError(
                f"{name}: its header has the line {raw.pop()!r} of raw words, which are no .dat "
                "file: leave format out, or name that of the file"
            )
        version = header.fields.get("version", "2")
        if version not in ("1", "2"):
            raise FormatError(f"{name} is of version {version!r}; versions 1 and 2 are known")
        start = header.bytes
        if start:
            file.seek(start)
            marks = file.read(2)
            if len(marks) < 2 or marks[1] != _EVENT_BYTES:
                raise FormatError(
                    f"{name}: the two bytes at {start}, type and size of events, are "
                    f"0x{marks.hex() or '(nothing)'}; the size must be {_EVENT_BYTES}"
                )
            start += 2
        return _Step(version, name=name, start=start, size=header.size())

    def write(self, file: BinaryIO, events: NDArray[Any], *, name: str) -> None:
        """Raises: FormatError for times of 2^32 us or more, or pixels above 16383."""
        check_writable(events, name=name, width=1 << 14, height=1 << 14, end=1 << 32)
        lines = ["Data file containing CD events.", "Version 2"]
        if self.width and self.height:
            lines += [f"Height {self.height}", f"Width {self.width}"]
        x, y, p = (events[field].astype(np.uint32) for field in "xyp")
        made = np.empty(events.size, _WORD)
        made["t"] = events["t"]
        made["data"] = p << 28 | y << 14 | x
        file.write(percent_lines(*lines))
        file.write(bytes([_CD, _EVENT_BYTES]))
        file.write(made.tobytes())


class _Step(Step):
    layout = _WORD
    unit: ClassVar[str] = "events"

    def __init__(self, version: str, *, name: str, start: int, size: Size | None) -> None:
        self.loop = f"dat{version}"
        super().__init__(name=name, start=start, size=size)
        self._unwrap = Unwrap(32, self.state)

    def plain(self, offset: int, word: NDArray[Any], out: NDArray[Any]) -> int:
        t, data = self._unwrap(word["t"]), word["data"]
        if self.loop == "dat1":
            return self.fill(out, t=t, x=data & 0x1FF, y=data >> 9 & 0xFF, p=data >> 17 & 1)
        return self.fill(out, t=t, x=data & 0x3FFF, y=data >> 14 & 0x3FFF, p=data >> 28 != 0)


def read_boxes(path: str | Path) -> NDArray[Any]:
    """Boxes of a ``*_bbox.npy`` file as an array of :data:`BOX`; old field names are understood.

    Raises: FormatError if the file holds no boxes.
    """
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise FormatError(f"{path} is no readable .npy file of boxes ({error})") from error
    names = {_RENAMED.get(name, name): name for name in found.dtype.names or ()}
    missing = [name for name in BOX.names or () if name not in names]
    if missing:
        raise FormatError(f"{path} holds {found.dtype}; boxes need also {', '.join(missing)}")
    boxes = np.empty(found.shape, BOX)
    for name, stored in names.items():
        if name in (BOX.names or ()):
            boxes[name] = found[stored]
    return boxes
