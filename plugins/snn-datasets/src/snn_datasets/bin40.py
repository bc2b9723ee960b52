"""40-bit events of N-MNIST and N-Caltech101."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.events import make_events

_BYTES = 5
_OVERFLOW_ROW = 240
_OVERFLOW_US = 1 << 13


class Bin40:
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

    extensions = (".bin", ".bs2")
    magic = b""

    def read(self, file: BinaryIO, *, name: str) -> NDArray[Any]:
        """All events of ``file``. Raises: FormatError if its size is no multiple of 5 bytes."""
        data = file.read()
        if len(data) % _BYTES:
            raise FormatError(
                f"{name} has {len(data)} bytes, which is no multiple of {_BYTES}: it is cut off "
                f"after {len(data) // _BYTES} whole 40-bit events, or holds another format"
            )
        raw = np.frombuffer(data, np.uint8).reshape(-1, _BYTES)
        x, y, high, middle, low = raw.T
        t = (high & 0x7F).astype(np.int64) << 16 | middle.astype(np.int64) << 8 | low
        marker = y == _OVERFLOW_ROW
        if marker.any():
            kept = ~marker
            t = (t + _OVERFLOW_US * np.cumsum(marker))[kept]
            x, y, high = x[kept], y[kept], high[kept]
        return make_events(t=t, x=x, y=y, p=high >> 7)
