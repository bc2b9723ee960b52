"""Events as NumPy arrays (``.npy``, ``.npz``) and as text (``.csv``)."""

from __future__ import annotations

import io
import itertools
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.events import Streamed, check_writable
from snn_datasets.formats.columns import Unit, fields_of, from_columns
from snn_datasets.formats.npy_bytes import npy_array

_LINES = 1 << 16
_LINE = 1 << 12
_MAGIC = b"\x93NUMPY"
_ZIP = b"PK\x03\x04"
_SIDES = ("neg", "pos")


class Npy:
    """One NumPy array (``.npy``): structured with fields for t, x, y, p, or a table of columns.

    Nested lists that were pickled into the file, as in Bullying10K, are read as rows (t, x, y, p)
    by an unpickler that knows lists and numbers alone.

    Args:
        columns: what the columns of a table without field names are, for example "xypt".
        unit: of the times.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> np.save(file, np.array([[3, 4, 1, 9]]))
        >>> Npy(columns="xypt").read(file, name="a.npy").tolist()
        [(9, 3, 4, 1)]
    """

    extensions: ClassVar[tuple[str, ...]] = (".npy",)
    magic: ClassVar[bytes] = _MAGIC

    def __init__(self, columns: str = "", unit: Unit = "us") -> None:
        self.columns = _checked(columns)
        self.unit: Unit = unit

    def read(self, file: BinaryIO, *, name: str) -> NDArray[Any]:
        """All events of ``file``. Raises: FormatError for a damaged file, or an array that says
        nowhere which of its columns is what."""
        file.seek(0)
        array, pickled = npy_array(file.read(), name=name)
        fields = fields_of(array.dtype.names or ())
        if fields:
            found = {field: array[stored] for field, stored in fields.items()}
            return from_columns(found, name=name, unit=self.unit)
        columns = self.columns or ("txyp" if pickled else "")
        if array.ndim != 2 or array.shape[1] != len(columns) or not columns:
            raise FormatError(
                f"{name} holds {array.dtype} of shape {array.shape}, and no fields named t, x, y, "
                'p; for a table say what its columns are: {"name": "npy", "columns": "txyp"}'
            )
        found = {field: array[:, columns.index(field)] for field in "txyp"}
        return from_columns(found, name=name, unit=self.unit)

    def write(self, file: BinaryIO, events: NDArray[Any], *, name: str) -> None:
        """A structured array. Raises: FormatError for values that are no events."""
        check_writable(events, name=name, width=1 << 15, height=1 << 15, end=1 << 62)
        np.lib.format.write_array(file, events, allow_pickle=False)


class Npz:
    """A zip file of NumPy arrays (``.npz``): t, x, y, p, as in HARDVS, or pos and neg.

    Rows of pos and neg, as in ES-ImageNet, are (y, x, step); their events are sorted by step, which
    stands for the time.

    Args:
        unit: of the times.
    """

    extensions: ClassVar[tuple[str, ...]] = (".npz",)
    magic: ClassVar[bytes] = _ZIP

    def __init__(self, unit: Unit = "us") -> None:
        self.unit: Unit = unit

    def recognises(self, file: BinaryIO) -> bool:
        """Whether the members are arrays of events."""
        file.seek(0)
        if file.read(len(_ZIP)) != _ZIP:
            return False
        try:
            with zipfile.ZipFile(file) as archive:
                names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
        except Exception:
            return False
        return fields_of(names) is not None or set(_SIDES) <= set(names)

    def read(self, file: BinaryIO, *, name: str) -> NDArray[Any]:
        """All events of ``file``. Raises: FormatError for a damaged file or other members."""
        arrays = _members(file, name)
        fields = fields_of(arrays)
        if fields:
            found = {field: arrays[stored] for field, stored in fields.items()}
            return from_columns(found, name=name, unit=self.unit)
        if not set(_SIDES) <= set(arrays):
            raise FormatError(
                f"{name} holds {', '.join(sorted(arrays)) or 'no arrays'}; expected are t, x, y "
                "and p, or pos and neg"
            )
        sides = [arrays[side] for side in _SIDES]
        for side, array in zip(_SIDES, sides, strict=True):
            if array.ndim != 2 or array.shape[1] != 3:
                raise FormatError(f"{name}: {side} has shape {array.shape}, expected (N, 3)")
        y, x, t = np.concatenate(sides).T
        p = np.repeat([0, 1], [len(side) for side in sides])
        events = from_columns({"t": t, "x": x, "y": y, "p": p}, name=name)
        return events[np.argsort(events["t"], kind="stable")]

    def write(self, file: BinaryIO, events: NDArray[Any], *, name: str) -> None:
        """Raises: FormatError for values that are no events."""
        check_writable(events, name=name, width=1 << 15, height=1 << 15, end=1 << 62)
        np.savez(file, t=events["t"], x=events["x"], y=events["y"], p=events["p"])


class Csv(Streamed):
    """Text with one event per line (``.csv``), columns parted by commas, semicolons or blanks.

    Args:
        columns: what the columns are, for example "txyp", for files whose first line does not say
            it; other letters stand for columns to pass over.
        unit: of the times.

    Example:
        >>> import io
        >>> Csv().read(io.BytesIO(b"x,y,p,t\\n3,4,1,9\\n"), name="a.csv").tolist()
        [(9, 3, 4, 1)]
    """

    extensions: ClassVar[tuple[str, ...]] = (".csv",)
    magic: ClassVar[bytes] = b""

    def __init__(self, columns: str = "", unit: Unit = "us") -> None:
        self.columns = _checked(columns)
        self.unit: Unit = unit

    def blocks(self, file: BinaryIO, *, name: str) -> Iterator[NDArray[Any]]:
        """Raises: FormatError for lines that are no events."""
        file.seek(0)
        # A line that never ends is no event: nor may it fill the memory.
        lines = iter(lambda: file.readline(_LINE), b"")
        head = _text([next(lines, b"")], name)[0].strip()
        delimiter = next((mark for mark in ",;" if mark in head), None)
        words = [word.strip().lower() for word in head.split(delimiter)]
        named = any(word[:1].isalpha() for word in words)
        fields = fields_of(words) if named else {field: field for field in self.columns}
        order = words if named else list(self.columns)
        if head and (not fields or not set("txyp") <= set(fields)):
            raise FormatError(
                f"{name} begins with the line {head[:60]!r}, which does not name t, x, y and p; "
                'say what its columns are: {"name": "csv", "columns": "txyp"}'
            )
        if not named and head:
            lines = itertools.chain([head.encode("ascii") + b"\n"], lines)
        first = 0
        while block := list(itertools.islice(lines, _LINES)):
            text = [line for line in _text(block, name) if line.strip()]
            if not text:
                continue
            try:
                table = np.loadtxt(text, delimiter=delimiter, ndmin=2, comments=None)
            except (ValueError, IndexError) as error:
                raise FormatError(f"{name}, lines after event {first}: {error}") from error
            if table.shape[1] != len(order):
                raise FormatError(
                    f"{name}, event {first}: {table.shape[1]} columns, expected {len(order)}"
                )
            found = {
                field: table[:, order.index(stored)]
                for field, stored in (fields or {}).items()
                if field in "txyp"
            }
            yield from_columns(found, name=name, unit=self.unit, first=first)
            first += len(table)

    def write(self, file: BinaryIO, events: NDArray[Any], *, name: str) -> None:
        """Columns t, x, y, p. Raises: FormatError for values that are no events, or times beyond
        2^53 us, which many readers of text would round."""
        check_writable(events, name=name, width=1 << 15, height=1 << 15, end=1 << 53)
        file.write(b"t,x,y,p\n")
        text = io.StringIO()
        np.savetxt(text, np.stack([events[f].astype(np.int64) for f in "txyp"], axis=1), "%d", ",")
        file.write(text.getvalue().encode("ascii"))


def _checked(columns: str) -> str:
    if columns and any(columns.count(field) != 1 for field in "txyp"):
        raise ValueError(f"columns must name each of t, x, y, p once, got {columns!r}")
    return columns


def _text(lines: list[bytes], name: str) -> list[str]:
    try:
        return [line.decode("ascii") for line in lines]
    except UnicodeDecodeError as error:
        raise FormatError(f"{name} is no text of numbers: {error}") from error


def _members(file: BinaryIO, name: str) -> dict[str, NDArray[Any]]:
    file.seek(0)
    data: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.namelist():
                data[member.removesuffix(".npy")] = archive.read(member)
    except Exception as error:  # damaged archives raise almost anything
        raise FormatError(
            f"{name} is no readable zip file of arrays ({type(error).__name__}: {error}): it is "
            "cut off, damaged, or another format"
        ) from error
    return {key: npy_array(part, name=f"{name}, {key}")[0] for key, part in data.items()}
