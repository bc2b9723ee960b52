"""Files of a user that are laid out like those of SHD."""

from __future__ import annotations

from typing import Annotated, ClassVar

from annotated_types import Ge, Gt

from snn_datasets.archives.members import FolderMembers, Members, ZipMembers
from snn_datasets.dataset import Root, Seed, Transform
from snn_datasets.errors import MissingData
from snn_datasets.event_dataset import Augment, Integrate
from snn_datasets.integration.slices import By
from snn_datasets.manifest import Info
from snn_datasets.sets.sound_dataset import SoundDataset, only_member
from snncore.errors import ConfigError
from snncore.registry import label

_SPLIT = "{split}"


class SHDLike(SoundDataset):
    """Your own recordings of sound as spikes of up to 700 units, in HDF5 files like those of SHD.

    A file has ``spikes/times`` (seconds) and ``spikes/units`` (one array of varying length per
    recording), ``labels``, ``extra/keys`` (names of the classes) and, for
    ``leave_one_speaker_out``, ``extra/speaker``.

    Protocols, attributes and shape: those of
    :class:`snn_datasets.sets.sound_dataset.SoundDataset`.

    Args:
        root: folder of the files; ``SNN_DATA/shd_like`` or the user's data folder if not given.
        split: "train" or "test".
        protocol, transform, target_transform, seed, T, by, duration_us, integrate, augment,
            channels, speaker: as for :class:`snn_datasets.sets.sound_dataset.SoundDataset`.
        download: without effect, the files are yours.
        files: name of the files, with ``{split}`` where they differ; ``.h5`` or ``.zip``.

    Raises: as that class.

    Example:
        >>> from snncore import info
        >>> info("dataset", "shd_like").parameters[-1].default
        '{split}.h5'

    Source: the layout is that of B. Cramer et al., IEEE Transactions on Neural Networks and
        Learning Systems 33, 2022.
    """

    info: ClassVar[Info] = Info.load("shd_like")

    def __init__(
        self,
        root: Root = None,
        *,
        split: str = "train",
        protocol: str | None = None,
        transform: Transform = None,
        target_transform: Transform = None,
        download: bool = False,
        seed: Seed = 0,
        T: Annotated[int, Gt(0)] | None = None,
        by: By = "count",
        duration_us: Annotated[int, Gt(0)] | None = None,
        integrate: Integrate = None,
        augment: Augment = None,
        channels: Annotated[int, Gt(0)] | None = None,
        speaker: Annotated[int, Ge(0)] | None = None,
        files: str = "{split}.h5",
    ) -> None:
        self.files = files
        super().__init__(
            root,
            split=split,
            protocol=protocol,
            transform=transform,
            target_transform=target_transform,
            download=download,
            seed=seed,
            T=T,
            by=by,
            duration_us=duration_us,
            integrate=integrate,
            augment=augment,
            channels=channels,
            speaker=speaker,
        )

    def members(self, split: str) -> tuple[Members, int]:
        if _SPLIT not in self.files:
            raise ConfigError(
                f"dataset {label(self)}: files must hold {_SPLIT}, which stands for train or "
                f"test, got {self.files!r}"
            )
        path = self.folder / self.files.replace(_SPLIT, split)
        if not path.is_file():
            raise MissingData(
                f"{self.info.title}: {path.name} is missing; looked in {path.parent}. Put it "
                f"there, or say where it is with root=... and what it is called with files=..., "
                f"for example files='digits_{_SPLIT}.h5'"
            )
        if path.suffix == ".zip":
            return only_member(ZipMembers(path, suffix=".h5"), ".h5 file")
        return only_member(FolderMembers(path.parent, suffix=path.name), path.name)
