"""Event arrays, and reading them from any registered file format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

import snncore
from snn_datasets.errors import FormatError
from snncore.errors import PluginLoadError

EVENT = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")])
"""One event: time in microseconds, column, row, polarity 0 or 1."""

_HEAD = 64


class Format(Protocol):
    """A decoder of event files: what a component of kind ``format`` is.

    It is built without arguments or with the parameters that its constructor declares. A file
    belongs to the format whose ``magic`` begins it, or, for formats without one (``b""``), whose
    ``extensions`` hold its suffix (lower case, with the dot).
    """

    @property
    def extensions(self) -> tuple[str, ...]: ...

    @property
    def magic(self) -> bytes: ...

    def read(self, file: BinaryIO, *, name: str) -> NDArray[Any]:
        """All events of an open file as an array of :data:`EVENT`, in file order.

        Args:
            name: what error texts call the file.

        Raises: FormatError naming the file, what was found and what was expected.
        """
        ...


def make_events(*, t: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike) -> NDArray[Any]:
    """Packs columns into an array of :data:`EVENT`.

    Args:
        t: times in microseconds.
        x, y: column and row.
        p: polarity, 0 or 1.

    Example:
        >>> make_events(t=[5, 9], x=[0, 1], y=[2, 2], p=[1, 0])["t"].tolist()
        [5, 9]
    """
    t = np.asarray(t)
    events = np.empty(t.shape, EVENT)
    events["t"], events["x"], events["y"], events["p"] = t, x, y, p
    return events


def read_events(path: str | Path, format: str | Mapping[str, Any] | None = None) -> NDArray[Any]:
    """Reads a whole event file.

    Args:
        path: the file.
        format: name of a registered format, or a table ``{"name": ..., **parameters}``; found
            from the first bytes or the suffix if not given.

    Returns: array of :data:`EVENT`, in file order.

    Raises:
        FormatError: the file fits no format, several, or is damaged.
        UnknownComponent: no format has that name.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "a.bin")
        >>> _ = file.write_bytes(bytes([3, 4, 128, 0, 9]))
        >>> read_events(file, "bin40").tolist()
        [(9, 3, 4, 1)]
    """
    path = Path(path)
    with path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(0)
        decoder = (
            _decoder_of(path, head)
            if format is None
            else cast("Format", snncore.from_spec("format", format))
        )
        return decoder.read(file, name=str(path))


def _decoder_of(path: Path, head: bytes) -> Format:
    decoders: dict[str, Format] = {}
    broken: list[str] = []
    for component in snncore.components("format"):
        try:
            decoders[component.qualified] = snncore.build("format", component.qualified)
        except PluginLoadError as error:  # a broken plugin must not stop the others
            broken.append(str(error))
    fitting = [n for n, d in decoders.items() if d.magic and head.startswith(d.magic)] or [
        n for n, d in decoders.items() if not d.magic and path.suffix.lower() in d.extensions
    ]
    if len(fitting) == 1:
        return decoders[fitting[0]]
    if fitting:
        raise FormatError(f"{path} fits {' and '.join(fitting)}; say which with format=...")
    known = ", ".join(f"{n} ({' '.join(d.extensions)})" for n, d in decoders.items()) or "none"
    raise FormatError(
        "; ".join(
            [
                f"{path} fits no registered format (known: {known}); say which with format=...",
                *broken,
            ]
        )
    )
