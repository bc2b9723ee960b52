"""Event files of any registered format: reading, reading in chunks, writing, sensor sizes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias, cast

from numpy.typing import NDArray

import snncore
from snn_datasets.errors import FormatError
from snn_datasets.events import Blocks, Format, Recognising, Sized, Writing, join_events
from snncore.errors import PluginLoadError
from snncore.registry import Registry, active, label

Named: TypeAlias = str | Mapping[str, Any] | None


def read_events(path: str | Path, format: Named = None) -> NDArray[Any]:
    """Reads a whole event file.

    Args:
        path: the file.
        format: name of a registered format, or a table ``{"name": ..., **parameters}``; found
            from what the file holds, or its suffix, if not given.

    Returns: array of :data:`EVENT`, in file order.

    Raises:
        FormatError: the file fits no format, several, or is damaged.
        UnknownComponent: no format has that name.
        MissingExtra: the format needs a package that is not installed.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "a.bin")
        >>> _ = file.write_bytes(bytes([3, 4, 128, 0, 9]))
        >>> read_events(file, "bin40").tolist()
        [(9, 3, 4, 1)]
    """
    path = Path(path)
    with path.open("rb") as file:
        return _reader(path, file, format).read(file, name=str(path))


def iter_events(
    path: str | Path, format: Named = None, *, events: int = 1 << 20
) -> Generator[NDArray[Any]]:
    """Reads an event file in chunks.

    Formats of cameras are decoded block by block, so that memory is bounded by the chunk, however
    long the recording. The others (tables, .mat) are read whole and handed out in chunks.

    Args:
        path, format: as :func:`read_events`.
        events: length of each chunk but the last.

    Yields: arrays of :data:`EVENT`; together the array of :func:`read_events`.

    Raises: as :func:`read_events`, and ValueError if ``events`` is below 1. An error of the file
        comes when its place is reached.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "a.bin")
        >>> _ = file.write_bytes(bytes([3, 4, 128, 0, 9]) * 3)
        >>> [len(chunk) for chunk in iter_events(file, events=2)]
        [2, 1]
    """
    if events < 1:
        raise ValueError(f"iter_events: events must be at least 1, got {events}")
    path = Path(path)
    with path.open("rb") as file:
        decoder = _reader(path, file, format)
        blocks = (
            decoder.blocks(file, name=str(path))
            if isinstance(decoder, Blocks)
            else iter([decoder.read(file, name=str(path))])
        )
        held, count = list[NDArray[Any]](), 0
        for block in blocks:
            held.append(block)
            count += block.size
            if count < events:
                continue
            whole = join_events(held)
            count %= events
            for start in range(0, whole.size - count, events):
                yield whole[start : start + events]
            held = [whole[whole.size - count :]]
        if count:
            yield join_events(held)


def sensor_size(path: str | Path, format: Named = None) -> tuple[int, int]:
    """(width, height) of the sensor in pixels, from the file or its format.

    Args:
        path, format: as :func:`read_events`.

    Raises: as :func:`read_events`, and FormatError where neither says it.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "a.raw")
        >>> _ = file.write_bytes(b"% evt 3.0\\n% geometry 1280x720\\n% end\\n")
        >>> sensor_size(file)
        (1280, 720)
    """
    path = Path(path)
    with path.open("rb") as file:
        decoder = _reader(path, file, format)
        size = decoder.size(file, name=str(path)) if isinstance(decoder, Sized) else None
    if size is None:
        raise FormatError(
            f"{path} does not say the size of its sensor, nor does {label(decoder)}; the "
            "data sheet of the camera does"
        )
    return size


def write_events(path: str | Path, events: NDArray[Any], format: Named = None) -> Path:
    """Writes an event file; what stood there before is replaced when all is written.

    Args:
        path: the file.
        events: array with the fields t (microseconds), x, y, p.
        format: as :func:`read_events`; found from the suffix if not given.

    Returns: the path.

    Raises: FormatError if no format, or several, write files of that suffix, or the format cannot
        hold the events.

    Example:
        >>> import tempfile
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[5, 9], x=[0, 1], y=[2, 2], p=[1, 0])
        >>> path = write_events(Path(tempfile.mkdtemp(), "a.raw"), events, "evt3")
        >>> read_events(path).tolist()
        [(5, 0, 2, 1), (9, 1, 2, 0)]
    """
    path = Path(path)
    writer = _named(format if format is not None else format_for(path))
    if not isinstance(writer, Writing):
        writing = [name for name, d in _formats().decoders.items() if isinstance(d, Writing)]
        raise FormatError(
            f"{label(writer)} only reads files; formats that write are {', '.join(writing)}"
        )
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            writer.write(file, events, name=str(path))
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def _named(format: str | Mapping[str, Any]) -> Format:
    return cast("Format", snncore.from_spec("format", format))


class _Formats(NamedTuple):
    """All formats by name, and why others cannot be loaded: they must not stop these."""

    decoders: Mapping[str, Format]
    recognising: Mapping[str, Recognising]
    broken: Sequence[str]


def _formats() -> _Formats:
    return _formats_of(active())


# Building them takes as long as reading a small file.
@lru_cache(maxsize=4)
def _formats_of(registry: Registry) -> _Formats:
    decoders: dict[str, Format] = {}
    broken: list[str] = []
    for component in (c for c in registry.components if c.kind == "format"):
        try:
            decoders[component.qualified] = snncore.build("format", component.qualified)
        except PluginLoadError as error:
            broken.append(str(error))
    recognising = {n: d for n, d in decoders.items() if isinstance(d, Recognising)}
    return _Formats(decoders, recognising, broken)


def _reader(path: Path, file: BinaryIO, format: Named) -> Format:
    if format is not None:
        return _named(format)
    decoders, recognising, broken = _formats()
    fitting = [n for n, d in decoders.items() if _is_of(d, recognising.get(n), file)] or [
        n
        for n, d in decoders.items()
        if not d.magic and n not in recognising and path.suffix.lower() in d.extensions
    ]
    file.seek(0)
    if len(fitting) == 1:
        return decoders[fitting[0]]
    known = ", ".join(f"{n} ({' '.join(d.extensions)})" for n, d in decoders.items()) or "none"
    found = _only(
        fitting,
        several=f"{path} fits {' and '.join(fitting)}; say which with format=...",
        none=f"{path} fits no registered format (known: {known}); say which with format=...",
        broken=broken,
    )
    return decoders[found]


def suffixes() -> frozenset[str]:
    """What files of all registered formats may end in; a format that cannot be loaded has none.

    Example:
        >>> ".aedat" in suffixes()
        True
    """
    found: set[str] = set()
    for component in snncore.components("format"):
        with contextlib.suppress(PluginLoadError):  # which 'snn doctor' tells of
            found.update(snncore.get("format", component.qualified).extensions)
    return frozenset(found)


def format_for(path: Path) -> str:
    """Name of the one format that writes files of a suffix.

    Raises: FormatError if there is none, or several.

    Example:
        >>> format_for(Path("events.npz"))
        'snn-datasets/npz'
    """
    decoders, _, broken = _formats()
    suffix = path.suffix.lower()
    fitting = [n for n, d in decoders.items() if isinstance(d, Writing) and suffix in d.extensions]
    return _only(
        fitting,
        several=f"{path} could be {' or '.join(fitting)}; say which with format=...",
        none=f"no registered format writes files named *{suffix}; say which with format=...",
        broken=broken,
    )


def _only(fitting: list[str], *, several: str, none: str, broken: Sequence[str]) -> str:
    if len(fitting) == 1:
        return fitting[0]
    raise FormatError(several if fitting else "; ".join([none, *broken]))


def _is_of(decoder: Format, recognising: Recognising | None, file: BinaryIO) -> bool:
    if recognising is None and not decoder.magic:
        return False
    file.seek(0)
    if recognising is not None:
        return recognising.recognises(file)
    return file.read(len(decoder.magic)) == decoder.magic
