"""Files that are whole or not there, and say when they are no longer what was written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A fresh name beside ``path``; what is written there is renamed to it at the end.

    When the block fails nothing is left, and what stood at ``path`` stays.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "a.txt")
        >>> with written_aside(path) as aside:
        ...     _ = aside.write_text("whole")
        >>> path.read_text(), len(list(path.parent.iterdir()))
        ('whole', 1)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield aside
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of named arrays, numbers, texts and tuples, whatever their order and memory layout.

    A number is the same as Python's, as NumPy's, and as an array without axes.

    Example:
        >>> one = digest({"a": np.arange(3), "b": "text"})
        >>> one == digest({"b": "text", "a": np.arange(6)[:3]}), one == digest({"a": np.arange(3)})
        (True, False)
    """
    found = hashlib.sha256()
    for name in sorted(content):
        found.update(name.encode() + b"\0")
        for part in _bytes(content[name]):
            found.update(part)
        found.update(b"\1")
    return found.hexdigest()


def _bytes(value: Any) -> tuple[bytes, ...]:
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if isinstance(value, (tuple, list)):
        parts = (part for item in value for part in (*_bytes(item), b"\2"))
        return (f"{type(value).__name__}:{len(value)}:".encode(), *parts)
    if isinstance(value, np.ndarray):
        array: NDArray[Any] = np.ascontiguousarray(value)
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        return (f"{array.dtype.str}{array.shape}".encode(), array.tobytes())
    return (f"{type(value).__name__}:{value!r}".encode(),)
