"""NumPy's file of one array, read with nothing of it trusted."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError


def npy_array(data: bytes, *, name: str) -> tuple[NDArray[Any], bool]:
    """The array, and whether it was pickled.

    Of pickled files, lists of numbers are read, as rows of four; no code of theirs is run.

    Raises: FormatError if the header is damaged or does not fit the length of the data.
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version}")
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(file)
    except Exception as error:  # a damaged header is evaluated as text and raises almost anything
        raise FormatError(
            f"{name} has no readable .npy header ({type(error).__name__}: {error})"
        ) from error
    start = file.tell()
    if dtype.hasobject:
        return _unpickled(data[start:], name), True
    expected = dtype.itemsize
    for length in shape:
        expected *= length
    if len(data) - start != expected or min(shape, default=0) < 0:
        raise FormatError(
            f"{name}: the header at byte 0 promises {dtype} of shape {shape}, {expected} bytes, "
            f"but {len(data) - start} bytes follow it"
        )
    array = np.frombuffer(data, dtype, offset=start) if expected else np.empty(0, dtype)
    return array.reshape(shape, order="F" if fortran else "C"), False


class _Array:
    """Stands for a pickled array: keeps its state and does nothing with it."""

    state: tuple[Any, ...] = ()

    def __init__(self, *ignored: object) -> None:
        pass

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state


_ALLOWED = {
    *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


class _Lists(pickle.Unpickler):
    """An unpickler of lists and numbers: whatever else a file names is refused."""

    def find_class(self, module: str, name: str, /) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not allowed")
        return _Array


def _unpickled(data: bytes, name: str) -> NDArray[Any]:
    try:
        found = _Lists(io.BytesIO(data)).load()
        numbers = list[Any]()
        left = [found]
        while left:
            item = left.pop()
            if isinstance(item, _Array):
                # (version, shape, dtype, order, items)
                left.append(item.state[-1])
            elif isinstance(item, list | tuple):
                left.extend(reversed(item))  # pyright: ignore[reportUnknownArgumentType]
            elif isinstance(item, int | float):
                numbers.append(item)
            else:
                raise TypeError(f"a {type(item).__name__} among the numbers")
        return np.array(numbers, np.float64).reshape(-1, 4)
    except Exception as error:  # a damaged pickle raises almost anything
        raise FormatError(
            f"{name} holds pickled objects that are no lists of (t, x, y, p) "
            f"({type(error).__name__}: {error})"
        ) from error
