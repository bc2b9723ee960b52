"""The HDF5 file of N-TIDIGITS18: spoken digits as a silicon cochlea heard them."""

from __future__ import annotations

from typing import Annotated, Any, BinaryIO, ClassVar, Literal, TypeAlias

from annotated_types import Ge
from numpy.typing import NDArray

from snn_datasets.formats.hdf5 import MAGIC, chosen, column, holds, opened, sound
from snn_datasets.sensor import Size

Split: TypeAlias = Literal["train", "test"]

_SIZE = (64, 1)


class NTidigits:
    """One recording of N-TIDIGITS18 (``n-tidigits.hdf5``): x = channel, y = 0, p = 0.

    The file lists its recordings by name in ``train_labels`` and ``test_labels``, and keeps their
    times in seconds and their addresses under that name in the groups ``train_timestamps`` and
    ``train_addresses``, or ``test_...``. An address is one of the 64 channels; of the cochlea's two
    ears the file holds one, so that there is no polarity to say.

    Args:
        sample: number of the recording in its split's list; needed where there are several.
        split: which list.

    Raises: MissingExtra without h5py.
    Source: Anumula et al., Frontiers in Neuroscience 12:23 (2018).
    """

    extensions: ClassVar[tuple[str, ...]] = (".hdf5", ".h5")
    magic: ClassVar[bytes] = MAGIC
    conformance: ClassVar[dict[str, Any]] = {
        "writes": False,
        "reason": "such files hold many recordings with labels",
    }

    def __init__(self, sample: Annotated[int, Ge(0)] | None = None, split: Split = "train") -> None:
        self.sample = sample
        self.split: Split = split

    def recognises(self, file: BinaryIO) -> bool:
        """Whether there are lists, times and addresses of a split."""
        parts = ("labels", "timestamps", "addresses")
        return any(
            holds(file, *(f"{split}_{part}" for part in parts)) for split in ("train", "test")
        )

    def size(self, file: BinaryIO, *, name: str) -> Size | None:
        """64 channels."""
        return _SIZE

    def read(self, file: BinaryIO, *, name: str) -> NDArray[Any]:
        """The events of one recording. Raises: FormatError if damaged, or there is no such one."""
        with opened(file, name=name) as h5:
            labels = column(h5, f"{self.split}_labels", name=name)
            example = f'{{"name": "ntidigits", "split": "{self.split}", "sample": 0}}'
            sample = chosen(self.sample, len(labels), name=name, example=example)
            said = labels[sample]
            label = said.decode("ascii") if isinstance(said, bytes) else str(said)
            times = column(h5, f"{self.split}_timestamps/{label}", name=name)[:]
            channels = column(h5, f"{self.split}_addresses/{label}", name=name)[:]
            return sound(times, channels, _SIZE, name=f"{name}, {self.split} sample {sample}")
