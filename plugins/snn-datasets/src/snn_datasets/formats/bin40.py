"""40-bit events of N-MNIST and N-Caltech101."""

from __future__ import annotations

from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.events import check_writable
from snn_datasets.formats.worded import Step, Worded

_BYTES = 5
_OVERFLOW_ROW = 240
_OVERFLOW_US = 1 << 13
_LAST = (1 << 23) - 1
# Further on, markers would outnumber any recording.
_END = 1 << 33


class Bin40(Worded):
    """Decoder of 40-bit event files (``.bin``, ``.bs2``), which have no header.

    An event is five bytes: x, y, then, from the highest bit, 1 bit polarity and 23 bits of time
    in microseconds. An event of row 240 is no event but a marker: it adds 2^13 us to the time of
    all events after it.

    Example:
        >>> import io
        >>> Bin40().read(io.BytesIO(bytes([3, 4, 128, 0, 9])), name="a.bin").tolist()
        [(9, 3, 4, 1)]

    Source: Orchard et al., Frontiers in Neuroscience 9:437 (2015), and the readers published with
        the data.
    """

    extensions: ClassVar[tuple[str, ...]] = (".bin", ".bs2")
    magic: ClassVar[bytes] = b""

    def step(self, file: BinaryIO, *, name: str) -> Step:
        """What decodes a file; one whose size is no multiple of 5 bytes is a FormatError."""
        return _Step(name=name)

    def write(self, file: BinaryIO, events: NDArray[Any], *, name: str) -> None:
        """Raises: FormatError for times that descend or reach 2^33 us, for pixels above 255, and
        for row 240, which stands for markers."""
        check_writable(events, name=name, width=256, height=256, end=_END, ascending=True)
        at_marker = np.flatnonzero(events["y"] == _OVERFLOW_ROW)
        if at_marker.size:
            raise FormatError(
                f"{name}: event {at_marker[0]} has y = {_OVERFLOW_ROW}, which this format keeps "
                "for its time markers; choose another format"
            )
        markers = np.maximum(events["t"] - _LAST + _OVERFLOW_US - 1, 0) // _OVERFLOW_US
        t = events["t"] - _OVERFLOW_US * markers
        columns = [events["x"], events["y"], events["p"].astype(np.int64) << 7 | t >> 16]
        rows = np.stack([*columns, t >> 8 & 0xFF, t & 0xFF], axis=1).astype(np.uint8)
        before = np.repeat(np.arange(t.size), np.diff(markers, prepend=0))
        marker = np.array([0, _OVERFLOW_ROW, 0, 0, 0], np.uint8)
        file.write(np.insert(rows, before, marker, axis=0).tobytes())


class _Step(Step):
    """``state["wraps"]`` counts the markers."""

    layout = np.dtype(("u1", _BYTES))
    unit: ClassVar[str] = "40-bit events"
    loop = "bin40"
    seen: ClassVar[str] = "u1"

    def plain(self, offset: int, word: NDArray[Any], out: NDArray[Any]) -> int:
        x, y, high, middle, low = word.T
        t = (high & 0x7F).astype(np.int64) << 16 | middle.astype(np.int64) << 8 | low
        t += self.state["wraps"] * _OVERFLOW_US
        marker = y == _OVERFLOW_ROW
        if marker.any():
            passed = np.cumsum(marker)
            t += passed * _OVERFLOW_US
            self.state["wraps"] += passed[-1]
            t, x, y, high = (column[~marker] for column in (t, x, y, high))
        return self.fill(out, t=t, x=x, y=y, p=high >> 7)
