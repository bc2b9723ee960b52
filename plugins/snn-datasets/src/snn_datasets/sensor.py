"""Sensor sizes: of named chips, and events that lie off a sensor."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError

Size: TypeAlias = tuple[int, int]

_CHIPS: dict[str, Size] = {
    "dvs128": (128, 128),
    "davis240": (240, 180),
    "davis346": (346, 260),
    "davis640": (640, 480),
}


def chip_size(text: str) -> Size | None:
    """(width, height) of the chip that a header names, if it is a known one.

    Example:
        >>> chip_size("eu.seebetter.ini.chips.davis.DAVIS240C")
        (240, 180)
    """
    return next((size for chip, size in _CHIPS.items() if chip in text.lower()), None)


def check_on_sensor(events: NDArray[Any], size: Size | None, *, name: str, first: int = 0) -> None:
    """Compares events with the sensor that the file or the format names.

    Args:
        size: (width, height); nothing is compared with None.
        first: number of the first of ``events`` in its file.

    Raises: FormatError that names the first event off the sensor.
    """
    if size is None:
        return
    x, y = events["x"], events["y"]
    off = np.flatnonzero((x < 0) | (x >= size[0]) | (y < 0) | (y >= size[1]))
    if off.size:
        i = int(off[0])
        raise FormatError(
            f"{name}: event {first + i} has x={x[i]}, y={y[i]}, which is off its sensor of "
            f"{size[0]} x {size[1]} pixels ({off.size} such events here): the file is damaged"
        )
