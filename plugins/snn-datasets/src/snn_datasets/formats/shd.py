"""HDF5 files of the spoken digits and commands of Heidelberg."""

from __future__ import annotations

from typing import Annotated, Any, BinaryIO, ClassVar

from annotated_types import Ge
from numpy.typing import NDArray

from snn_datasets.errors import FormatError
from snn_datasets.formats.hdf5 import MAGIC, chosen, column, holds, opened, sound
from snn_datasets.sensor import Size

_SIZE = (700, 1)


class Shd:
    """One recording of an SHD or SSC file (``.h5``): x = unit, y = 0, one polarity (p = 0).

    Times are stored as float16 seconds; they are widened before they become microseconds.

    Args:
        sample: number of the recording; needed where a file holds several.

    Raises: MissingExtra without h5py.
    Source: Cramer et al., IEEE Transactions on Neural Networks and Learning Systems 33 (2022).
    """

    extensions: ClassVar[tuple[str, ...]] = (".h5", ".hdf5")
    magic: ClassVar[bytes] = MAGIC
    conformance: ClassVar[dict[str, Any]] = {
        "writes": False,
        "reason": "such files hold many recordings with labels",
    }

    def __init__(self, sample: Annotated[int, Ge(0)] | None = None) -> None:
        self.sample = sample

    def recognises(self, file: BinaryIO) -> bool:
        """Whether there are spike times and units."""
        return holds(file, "spikes/times", "spikes/units")

    def size(self, file: BinaryIO, *, name: str) -> Size | None:
        """700 units."""
        return _SIZE

    def read(self, file: BinaryIO, *, name: str) -> NDArray[Any]:
        """The events of one recording. Raises: FormatError if damaged, or there is no such one."""
        with opened(file, name=name) as h5:
            times = column(h5, "spikes/times", name=name)
            units = column(h5, "spikes/units", name=name)
            if len(times) != len(units):
                raise FormatError(
                    f"{name}: {len(times)} recordings of times, {len(units)} of units"
                )
            example = '{"name": "shd", "sample": 0}'
            sample = chosen(self.sample, len(times), name=name, example=example)
            return sound(times[sample], units[sample], _SIZE, name=f"{name}, sample {sample}")
