"""AEDAT 4.0, as iniVation's cameras record it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.events import Streamed
from snn_datasets.extras import need
from snn_datasets.formats.columns import from_columns
from snn_datasets.sensor import Size, check_on_sensor

_KEEP = (KeyboardInterrupt, SystemExit, GeneratorExit, ImportError, FormatError)


class Aedat4(Streamed):
    """AEDAT 4.0 (``.aedat4``), through the package aedat; times are Unix microseconds.

    Only a file of one event stream is one recording; other streams (frames, inertial units,
    triggers) are passed over.

    Raises: MissingExtra without aedat.
    Source: iniVation, AEDAT 4.0 format description.
    """

    extensions: ClassVar[tuple[str, ...]] = (".aedat4",)
    magic: ClassVar[bytes] = b"#!AER-DAT4.0"
    conformance: ClassVar[dict[str, Any]] = {
        "writes": False,
        "reason": "cameras write such files, by iniVation's own library",
    }

    def size(self, file: BinaryIO, *, name: str) -> Size | None:
        """(width, height) of the event stream."""
        with _decoder(file, name) as decoder:
            return _stream(decoder, name)[1]

    def blocks(self, file: BinaryIO, *, name: str) -> Iterator[NDArray[Any]]:
        """One block per packet. Raises: FormatError if the file is damaged, or holds no stream of
        events or several."""
        with _decoder(file, name) as decoder:
            stream, size = _stream(decoder, name)
            first = 0
            for packet in decoder:
                if packet["stream_id"] != stream or "events" not in packet:
                    continue
                found = packet["events"]
                columns = {"t": found["t"], "x": found["x"], "y": found["y"], "p": found["on"]}
                events = from_columns(columns, name=name, first=first)
                check_on_sensor(events, size, name=name, first=first)
                first += events.size
                yield events


def _stream(decoder: Any, name: str) -> tuple[int, Size]:
    found = {
        number: (int(stream["width"]), int(stream["height"]))
        for number, stream in decoder.id_to_stream().items()
        if stream["type"] == "events"
    }
    if len(found) != 1:
        raise FormatError(f"{name} holds {len(found)} streams of events, expected is one")
    return next(iter(found.items()))


@contextmanager
def _decoder(file: BinaryIO, name: str) -> Generator[Any]:
    """The package's decoder, which takes paths alone; its failures are FormatErrors."""
    aedat = need("aedat", extra="aedat4", what="AEDAT 4 files")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(str(getattr(file, "name", "")))
        if not path.is_file():
            path = Path(folder, "recording.aedat4")
            file.seek(0)
            with path.open("wb") as copy:
                shutil.copyfileobj(file, copy)
        try:
            yield aedat.Decoder(str(path))
        except BaseException as error:
            # A panic of the package's Rust code is no Exception.
            if isinstance(error, _KEEP):
                raise
            raise FormatError(
                f"{name} is no readable AEDAT 4 file ({type(error).__name__}: {error}): it is cut "
                "off or damaged"
            ) from error
