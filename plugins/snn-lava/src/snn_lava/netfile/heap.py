"""Texts of free length, which HDF5 keeps in a heap: slayer writes the kinds of neurons so.

They are read here and not by the library, which allocates what a damaged length promises and does
not come back from a damaged heap (HDF5 2.0).
"""

from __future__ import annotations

import struct
from pathlib import Path

REFERENCE = struct.Struct("<IQI")
"""Length, address of the heap, number in it; with addresses of 8 bytes."""
_HEAP = struct.Struct("<4sB3xQ")
"""Magic, version, and bytes, these included."""
_OBJECT = struct.Struct("<HH4xQ")
"""Number, references, and bytes, which are padded to whole eights; number 0 is the free rest."""

# The library begins a new heap of 4096 bytes when one has grown to 65536.
_LARGEST = 1 << 17


def free_text(path: Path, offset: int | None) -> bytes:
    """The text to which a reference in a file leads.

    Args:
        path: of the file.
        offset: of the reference; None if it has none.

    Raises: ValueError if it leads nowhere.
    Source: HDF5 File Format Specification, Version 3.0, section III.E.
    """
    if offset is None:
        raise ValueError("a text without a place of its own")
    with path.open("rb") as file:
        file.seek(offset)
        length, heap, number = REFERENCE.unpack(file.read(REFERENCE.size))
        file.seek(heap)
        magic, version, size = _HEAP.unpack(file.read(_HEAP.size))
        if (magic, version) != (b"GCOL", 1) or not _HEAP.size <= size <= _LARGEST:
            raise ValueError("a text that is in no heap")
        held = file.read(size - _HEAP.size)
    at = 0
    while at + _OBJECT.size <= len(held):
        found, _, count = _OBJECT.unpack_from(held, at)
        at += _OBJECT.size
        if found == number and length <= count <= len(held) - at:
            return held[at : at + length]
        if found == 0:
            break
        at += -(-count // 8) * 8
    raise ValueError("a text that is not in its heap")
