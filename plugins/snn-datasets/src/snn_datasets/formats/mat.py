"""MATLAB files of ASL-DVS and ST-MNIST."""

from __future__ import annotations

from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.extras import need
from snn_datasets.formats.columns import fields_of, from_columns
from snn_datasets.sensor import Size

_TAXELS = 100
_SIDE = 10


class Mat:
    """MATLAB 5 files (``.mat``): columns ts (us), x, y, pol (ASL-DVS), or a matrix ``spiketrain``.

    The rows of the matrix (ST-MNIST) are 100 taxels, -1 for OFF and 1 for ON, and last the time in
    seconds of each column; taxel i is at x = i mod 10, y = i div 10.

    Raises: MissingExtra without scipy.
    """

    extensions: ClassVar[tuple[str, ...]] = (".mat",)
    magic: ClassVar[bytes] = b"MATLAB 5.0 MAT-file"

    conformance: ClassVar[dict[str, Any]] = {
        "writes": False,
        "reason": "datasets publish such files; nobody records them",
    }

    def size(self, file: BinaryIO, *, name: str) -> Size | None:
        """10 x 10 taxels; None for columns, which any camera may have made."""
        return (_SIDE, _SIDE) if "spiketrain" in _load(file, name) else None

    def read(self, file: BinaryIO, *, name: str) -> NDArray[Any]:
        """All events of ``file``. Raises: FormatError for a damaged file or other variables."""
        found = _load(file, name)
        fields = fields_of(found)
        if fields:
            columns = {field: np.ravel(found[stored]) for field, stored in fields.items()}
            return from_columns(columns, name=name)
        train = found.get("spiketrain")
        if train is None or train.dtype.kind not in "iuf" or train.shape[:1] != (_TAXELS + 1,):
            held = ", ".join(f"{key} {value.shape}" for key, value in found.items())
            raise FormatError(
                f"{name} holds {held or 'nothing'}; expected are ts, x, y, pol, or spiketrain "
                f"({_TAXELS + 1}, N)"
            )
        column, taxel = np.nonzero(train[:_TAXELS].T)
        columns = {
            "t": train[_TAXELS][column],
            "x": taxel % _SIDE,
            "y": taxel // _SIDE,
            "p": train[taxel, column],
        }
        return from_columns(columns, name=name, unit="s")


def _load(file: BinaryIO, name: str) -> dict[str, NDArray[Any]]:
    scipy = need("scipy.io", extra="mat", what=".mat files")
    file.seek(0)
    try:
        found = scipy.loadmat(file)
    except Exception as error:  # a damaged file raises almost anything
        raise FormatError(
            f"{name} is no readable MATLAB 5 file ({type(error).__name__}: {error})"
        ) from error
    return {key: value for key, value in found.items() if isinstance(value, np.ndarray)}
