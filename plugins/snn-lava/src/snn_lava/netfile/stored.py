"""HDF5 files of which nothing is believed: numbers and texts that are in the file itself."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from snn_lava.netfile.heap import REFERENCE, free_text
from snn_lava.netfile.layout import Numbers
from snncore.errors import ChipError

_MAGIC = b"\x89HDF\r\n\x1a\n"
_LONGEST_TEXT = 1 << 16
_PLAIN = "rewrite it with: h5repack --filter=NONE --layout=CONTI"


@dataclass
class _Source:
    """A file, and how many bytes of it were not read yet."""

    path: Path
    left: int


@contextmanager
def opened(path: Path) -> Generator[Folder]:
    """The root of an HDF5 file.

    Raises: ChipError naming the file, when it is none, is cut off, or goes on behind its end.
    """
    with _understood(f"{path}"):
        if not path.is_file():
            raise ChipError(f"{path}: there is no such file; expected is a .net file of Lava")
        size = path.stat().st_size
        with path.open("rb") as file:
            _check_length(path, file.read(64), size)
        h5 = h5py.File(path, "r")
    try:
        yield Folder(_Source(path, size), "", h5)
    finally:
        with _understood(f"{path}"):
            h5.close()


@contextmanager
def _understood(place: str) -> Generator[None]:
    try:
        yield
    except ChipError:
        raise
    except Exception as error:  # the library raises almost anything for a damaged file
        raise ChipError(
            f"{place}: cannot be read, the file is damaged ({type(error).__name__}: {error}); "
            "export the network again"
        ) from error


def _check_length(path: Path, head: bytes, size: int) -> None:
    if not head.startswith(_MAGIC):
        begins = repr(head[:8]) if head else "nothing: it is empty"
        raise ChipError(
            f"{path}: is no HDF5 file, it begins with {begins}; expected is a .net file as Lava "
            "takes it"
        )
    # The superblock: version, bytes of an address, and among the addresses the end of the file.
    version, words, first, which = head[8], head[13], 24, 2
    if version == 1:
        first = 28
    elif version in (2, 3):
        words, first = head[9], 12
    end = head[first + which * words : first + (which + 1) * words]
    if version > 3 or words not in (2, 4, 8) or len(end) < words:
        raise ChipError(
            f"{path}: has an HDF5 header of version {version} with addresses of {words} bytes, "
            "expected is one of version 0 to 3; the file is damaged, or too new"
        )
    expected = int.from_bytes(end, "little")
    if expected != size:
        what = "is cut off" if expected > size else "goes on behind its end"
        raise ChipError(
            f"{path}: {what}: {size} bytes, expected are {expected}; copy or export it again"
        )


@dataclass(frozen=True)
class Folder:
    """A group of a file. Every method raises ChipError naming file, place, and what it expected."""

    source: _Source
    place: str
    group: Any

    def fault(self, found: str, name: str = "") -> ChipError:
        """An error about this group or something in it."""
        place = "/".join(part for part in (self.place, name) if part)
        return ChipError(f"{self.source.path}: {place + ': ' if place else ''}{found}")

    def names(self) -> list[str]:
        """Names of all that is in it."""
        with self._understood():
            # The library gives a name that is no text as bytes.
            return [name if isinstance(name, str) else name.decode() for name in self.group]

    def check_names(
        self, names: Collection[str], known: Collection[str], advice: Mapping[str, str]
    ) -> None:
        """Refuses what is not known: it could change what is computed."""
        for name in names:
            if name not in known:
                what = advice.get(name, "take it out if it does not matter")
                raise self.fault(
                    f"is not known here, expected is nothing but {', '.join(known)}; {what}", name
                )

    def folder(self, name: str) -> Folder:
        """A group in it."""
        found = self._get(name, "is a group")
        if not isinstance(found, h5py.Group):
            raise self.fault(f"is a {type(found).__name__.lower()}, expected is a group", name)
        return Folder(self.source, "/".join(part for part in (self.place, name) if part), found)

    def text(self, name: str) -> str:
        """A single text, ``()`` or ``(1,)``, of fixed or free length."""
        found = self._dataset(name, "is a text")
        with self._understood(name):
            kind = h5py.check_string_dtype(found.dtype)
            if kind is None or found.shape not in ((), (1,)):
                raise self.fault(
                    f"is {found.dtype} of shape {found.shape}, expected is one text", name
                )
            self._claim(name, found)
            if kind.length is None:
                return free_text(self.source.path, found.id.get_offset()).decode()
            return bytes(np.asarray(found[()]).reshape(-1)[0]).decode()

    def attribute(self, name: str) -> str | None:
        """A text of fixed length beside the group; None if there is none."""
        with self._understood(name):
            if name not in self.group.attrs:
                return None
            found = self.group.attrs.get_id(name)
            if found.dtype.kind != "S" or found.shape != () or found.dtype.itemsize > _LONGEST_TEXT:
                raise self.fault(
                    f"attribute {name!r} is {found.dtype} of shape {found.shape}, expected is a "
                    "text of fixed length"
                )
            return bytes(self.group.attrs[name]).decode()

    def numbers(self, name: str, expected: Numbers) -> NDArray[np.int64]:
        """Whole numbers of a grid, in any numeric type."""
        found = self._dataset(name, "are whole numbers")
        with self._understood(name):
            self._check_type(name, found, expected)
            self._claim(name, found)
            values = np.asarray(found[()])
        return self._whole(name, values, expected)

    def _understood(self, name: str = "") -> Any:
        return _understood(str(self.fault("", name)).removesuffix(": "))

    def _get(self, name: str, what: str) -> Any:
        with self._understood(name):
            link = self.group.get(name, getlink=True)
            if link is not None and not isinstance(link, h5py.HardLink):
                raise self.fault(
                    f"is a link ({type(link).__name__}) to another place, expected is what it "
                    "names; copy that into the file",
                    name,
                )
            found = self.group.get(name)
        if found is None:
            raise self.fault(f"is missing, expected {what}", name)
        return found

    def _dataset(self, name: str, what: str) -> Any:
        found = self._get(name, what)
        with self._understood(name):
            complex_ = isinstance(found, h5py.Group) and "real" in found
        if complex_:
            raise self.fault(
                "is complex (real, imag), as resonate-and-fire neurons have it; expected are real "
                "weights, other neurons than CUBA are not supported",
                name,
            )
        if not isinstance(found, h5py.Dataset):
            raise self.fault(f"is a {type(found).__name__.lower()}, expected {what}", name)
        return found

    def _check_type(self, name: str, found: Any, expected: Numbers) -> None:
        if found.dtype.kind not in "iufb":
            raise self.fault(f"is of type {found.dtype}, expected are whole numbers", name)
        axes = () if expected.single and found.shape == () else expected.axes
        if found.shape is None or len(found.shape) != len(axes):
            one = " or ()" if expected.single else ""
            raise self.fault(
                f"has the shape {found.shape}, expected is ({', '.join(map(str, axes))}){one}", name
            )
        if 0 in found.shape:
            raise self.fault(f"has the shape {found.shape}: it holds nothing", name)

    def _claim(self, name: str, found: Any) -> None:
        """Lets no dataset be read that is not as plain, or as long, as what the file holds."""
        made = found.id.get_create_plist()
        plain = made.get_layout() in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT)
        if not plain or made.get_nfilters():
            raise self.fault(
                f"is compressed, in chunks or virtual, expected are plain numbers; {_PLAIN}", name
            )
        if made.get_external_count():
            raise self.fault(f"lies in another file, expected is it in this one; {_PLAIN}", name)
        size = REFERENCE.size if found.dtype.kind == "O" else found.dtype.itemsize
        promised, stored = math.prod(found.shape) * size, found.id.get_storage_size()
        if promised != stored or promised > self.source.left:
            raise self.fault(
                f"promises {promised} bytes, but the file holds {min(stored, self.source.left)} "
                "for it: it is damaged, or never was written",
                name,
            )
        self.source.left -= promised

    def _whole(self, name: str, values: NDArray[Any], expected: Numbers) -> NDArray[np.int64]:
        grid, advice = expected.grid, f"; {expected.advice}" if expected.advice else ""
        kept = np.isfinite(values)
        if kept.all():
            if values.dtype.kind == "f":
                # Half precision holds no bound of a grid.
                values = values.astype(np.promote_types(values.dtype, np.float64))
            kept = values == np.trunc(values)
        if not kept.all():
            raise self.fault(
                f"holds {self._first(values, ~kept)}, expected are whole numbers from {grid.low} "
                f"to {grid.high}{advice}",
                name,
            )
        kept = (values >= grid.low) & (values <= grid.high)
        if not kept.all():
            one = grid.low == grid.high
            wanted = f"is {grid.low}" if one else f"are {grid.low} to {grid.high}"
            raise self.fault(f"holds {self._first(values, ~kept)}, expected {wanted}{advice}", name)
        return values.astype(np.int64)

    @staticmethod
    def _first(values: NDArray[Any], wrong: NDArray[np.bool_]) -> str:
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        return f"{values[at]} at {list(at)}" if at else f"{values[()]}"
