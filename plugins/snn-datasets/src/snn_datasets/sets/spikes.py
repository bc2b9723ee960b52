"""Many recordings of spikes in the memory of one process."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.events import make_events
from snn_datasets.formats.hdf5 import sound

Block: TypeAlias = tuple[Sequence[NDArray[Any]], Sequence[NDArray[Any]]]
"""Times in seconds, and units, of some recordings."""


class Spikes(NamedTuple):
    """Recordings one after the other: times in us, units, and where each of them begins.

    6 bytes per spike, where all times are below half an hour.
    """

    t: NDArray[np.integer[Any]]
    x: NDArray[np.int16]
    starts: NDArray[np.int64]

    def events(self, sample: int) -> NDArray[Any]:
        """One recording: x = unit, y = 0, p = 0."""
        part = slice(self.starts[sample], self.starts[sample + 1])
        return make_events(t=self.t[part], x=self.x[part], y=0, p=0)

    @classmethod
    def gather(cls, blocks: Iterable[Block], units: int, *, name: str) -> Spikes:
        """All recordings of some blocks, each converted as the format ``shd`` does.

        Args:
            blocks: of few recordings each: they bound the memory beyond that of the result.
            units: how many there are.
            name: what error texts call the file.

        Raises: FormatError that names the first recording with an impossible spike.
        """
        t, x, counts = list[Any](), list[Any](), [0]
        for times, channels in blocks:
            events = _converted(times, channels, units, first=len(counts) - 1, name=name)
            late = events.size and events["t"].max() > np.iinfo(np.int32).max
            t.append(events["t"].astype(np.int64 if late else np.int32))
            x.append(events["x"].copy())
            counts += [len(recording) for recording in times]
        none = np.empty(0, np.int16)
        flat_t, flat_x = np.concatenate([none, *t]), np.concatenate([none, *x])
        return cls(flat_t, flat_x, np.cumsum(counts, dtype=np.int64))


def _converted(
    times: Sequence[NDArray[Any]],
    channels: Sequence[NDArray[Any]],
    units: int,
    *,
    first: int,
    name: str,
) -> NDArray[Any]:
    """The spikes of recordings from number ``first`` on, one after the other."""
    for k, (t, x) in enumerate(zip(times, channels, strict=True), first):
        if len(t) != len(x):
            raise FormatError(f"{name}, sample {k}: {len(t)} times for {len(x)} units")
    where = f"{name}, sample {first}"
    try:
        return sound(np.concatenate(times), np.concatenate(channels), (units, 1), name=where)
    except FormatError:
        # Once more one by one, so that the text names the recording.
        for k in range(len(times) if len(times) > 1 else 0):
            part = slice(k, k + 1)
            _converted(times[part], channels[part], units, first=first + k, name=name)
        raise
