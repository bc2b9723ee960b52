"""Voxel grids: events spread over the two nearest of evenly spaced instants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snn_datasets.compiled import loops
from snn_datasets.errors import FormatError
from snn_datasets.integration.counting import check
from snn_datasets.integration.slices import LONGEST, check_choice
from snn_datasets.integration.source import columns, length, source_of, span
from snn_datasets.sensor import Size

Sign: TypeAlias = Literal["signed", "both"]


@dataclass(frozen=True)
class VoxelGrid:
    """Sums polarities with weights that fall linearly with the distance in time.

    For events i = 0..N-1 and bins b = 0..B-1::

        V(b, y, x) = sum over i at (x, y) of (2 p_i - 1) max(0, 1 - |b - b_i|)
        b_i = (B - 1) (t_i - t_0) / (t_N-1 - t_0)

    The weights of an event sum to 1. With one bin, or where all times are equal, b_i = 0.

    Args:
        bins: B.
        polarity: "signed" as above, P = 1; "both" sums weights of each polarity by itself, P = 2.

    Shape: events N; grid ``[B, P, H, W]``, float32; sums are of float64.

    Raises: ValueError if ``bins`` is below 1 or ``polarity`` is unknown.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[0, 3, 4], x=[0, 0, 1], y=[0, 0, 0], p=[1, 1, 0])
        >>> VoxelGrid(2)(events, (2, 1))[:, 0, 0].tolist()
        [[1.25, 0.0], [0.75, -1.0]]

    Source: A. Zhu et al., Unsupervised event-based learning of optical flow, depth, and egomotion,
    CVPR 2019, Eq. 1-3.
    """

    bins: int
    polarity: Sign = "signed"

    def __post_init__(self) -> None:
        if self.bins < 1:
            raise ValueError(f"VoxelGrid: bins must be at least 1, got {self.bins}")
        check_choice("VoxelGrid", "polarity", self.polarity, Sign)

    def __call__(self, events: NDArray[Any], size: Size) -> NDArray[np.float32]:
        """The grid of one recording.

        Args:
            events: structured array with integer fields t (microseconds, ascending), x, y, p, or
                packed words. It is not changed.
            size: (width, height) of the sensor in pixels.

        Raises: FormatError for times that descend or are no integers, and events off the sensor.
        """
        source = source_of(events)
        number, last = length(source), self.bins - 1
        reach = max(span(source, 0, number), 1)
        if reach * max(last, 1) > LONGEST:
            raise FormatError(
                f"events span {reach} us, too long for {self.bins} bins: their times are damaged"
            )
        planes = 2 if self.polarity == "both" else 1
        shape = (self.bins, planes, size[1], size[0])
        compiled = loops("integration.loops")
        if compiled is None:
            return _spread(columns(source), reach, size, shape).astype(np.float32)
        near = np.zeros(shape)
        # what goes to the later bin is summed by itself: numpy cannot do it in another order
        after = np.zeros_like(near)
        if not compiled.spread(source, number, reach, size, near, after):
            check(columns(source), (0, number), size)
        near[1:] += after[:-1]
        return near.astype(np.float32)


def _spread(
    events: tuple[NDArray[np.int64], ...], reach: int, size: Size, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """The grid of events that span ``reach`` microseconds."""
    check(events, (0, events[0].size), size)
    t, x, y, p = events
    bins, planes, height, width = shape
    cells = int(np.prod(shape))
    # whole numbers up to the division: no time is rounded
    place = (t - t[:1]) * (bins - 1)
    left = place // reach
    weight = (place - left * reach) / reach
    index = (left * height + y) * width + x
    if planes == 2:
        index = ((left * 2 + p) * height + y) * width + x
        near, far = 1 - weight, weight
    else:
        near, far = np.where(p, 1 - weight, weight - 1), np.where(p, weight, -weight)
    grid = np.bincount(index, near, cells).astype(np.float64).reshape(shape)
    grid[1:] += np.bincount(index, far, cells).reshape(shape)[:-1]
    return grid


def to_voxel_grid(
    events: NDArray[Any], *, size: Size, bins: int, polarity: Sign = "signed"
) -> NDArray[np.float32]:
    """Spreads events over the two nearest bins of time: :class:`VoxelGrid` in one call.

    Args:
        events: structured array with integer fields t (microseconds, ascending), x, y, p, or
            packed words.
        size: (width, height) of the sensor in pixels.
        bins, polarity: as of :class:`VoxelGrid`.

    Returns: float32 array ``[B, P, H, W]``.

    Raises: ValueError and FormatError as :class:`VoxelGrid`.

    Example:
        >>> from snn_datasets import make_events
        >>> events = make_events(t=[0, 3, 4], x=[0, 0, 1], y=[0, 0, 0], p=[1, 1, 0])
        >>> to_voxel_grid(events, size=(2, 1), bins=2).shape
        (2, 1, 1, 2)

    Source: A. Zhu et al., CVPR 2019, Eq. 1-3.
    """
    return VoxelGrid(bins, polarity)(events, size)
