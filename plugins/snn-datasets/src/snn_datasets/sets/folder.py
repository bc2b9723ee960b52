"""A user's own recordings, in one folder for each class."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
from annotated_types import Gt, Lt
from numpy.typing import NDArray

from snn_datasets.archives.members import FolderMembers
from snn_datasets.dataset import Root, Seed, Transform
from snn_datasets.errors import FormatError, MissingData
from snn_datasets.event_dataset import Augment, EventDataset, Integrate
from snn_datasets.integration.slices import By
from snn_datasets.manifest import Info
from snn_datasets.recording import read_events, sensor_size, suffixes
from snn_datasets.recordings import Recordings
from snn_datasets.splits import stratified
from snncore.registry import label

_PART = re.compile(r"[0-9]+|[^0-9]+")

NaturalKey: TypeAlias = tuple[tuple[int, int, str], ...]
Pixels: TypeAlias = Annotated[int, Gt(0)]


class Folder(EventDataset):
    """Recordings of any registered format, in folders named by their classes.

    Either ``root/<class>/...`` or ``root/{train,test}/<class>/...``, with as many folders below as
    you like. Files count whose suffix a registered format has; those whose names begin with a dot
    do not, nor do those of folders that do. Classes and recordings are sorted as people sort:
    numbers by value, so that the class ``2`` comes before ``10`` and has the lower label.

    Protocols:
        - ``folders``: the folders ``train`` and ``test`` say it; the default where both are there.
        - ``stratified``: of each class the fraction ``test_fraction``, rounded, is drawn for the
          test split by ``split_seed``; the default elsewhere. It depends on the sorted names alone.

    Args:
        root: the folder.
        split: "train" or "test".
        protocol: see above.
        transform, target_transform: applied to x and y.
        download: without effect.
        seed: of ``augment``.
        T, by, duration_us, integrate, augment: as :class:`snn_datasets.EventDataset`.
        event_format: name of a registered format, or a table {"name": ..., parameters}; found for
            each file from what it holds if not given, which takes longer.
        sensor_pixels: (width, height) of the sensor; asked of the first file if not given.
        test_fraction: of protocol ``stratified``, in (0, 1).
        split_seed: of protocol ``stratified``.

    Shape: x ``[T, 2, H, W]``, float32 event counts.

    Raises:
        MissingData: there is no folder ``root``, no recording in it, or, for protocol ``folders``,
            no folders ``train`` and ``test``.
        ConfigError: for a parameter of wrong type, choice or range.
        FormatError: a file is damaged or of no known format; no file says the size of the sensor;
            a split has no recording.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from snn_datasets import make_events, write_events
        >>> root = Path(tempfile.mkdtemp())
        >>> events = make_events(t=[0, 9], x=[1, 2], y=[0, 3], p=[0, 1])
        >>> for name in ("2/a.bin", "2/b.bin", "10/a.bin", "10/b.bin"):
        ...     (root / name).parent.mkdir(exist_ok=True)
        ...     _ = write_events(root / name, events)
        >>> dataset = Folder(root, sensor_pixels=(34, 34), test_fraction=0.5)
        >>> dataset.classes, dataset.targets.tolist()
        (('2', '10'), [0, 1])

    Source: this package.
    """

    info: ClassVar[Info] = Info.load("folder")
    protocols: ClassVar[tuple[str, ...]] = ("stratified", "folders")

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
        event_format: str | Mapping[str, Any] | None = None,
        sensor_pixels: tuple[Pixels, Pixels] | None = None,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: Seed = 0,
    ) -> None:
        self.event_format = event_format
        self.sensor_pixels = sensor_pixels
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        if protocol is None and root is not None and _is_divided(Path(root).expanduser()):
            protocol = "folders"
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
        )

    def find(self) -> Recordings:
        if self.root is None or not self.folder.is_dir():
            where = "no root was given" if self.root is None else f"there is no {self.folder}"
            raise MissingData(
                f"{label(self)}: {where}; root is the folder with a folder of recordings for each "
                "class in it"
            )
        divided = self.protocol == "folders"
        if divided and not _is_divided(self.folder):
            raise MissingData(
                f"dataset {label(self)}: protocol 'folders' needs the folders train and test in "
                f"{self.folder}; leave protocol out to draw the test split"
            )
        members = FolderMembers(self.folder)
        known = suffixes()
        depth = 1 if divided else 0
        files = [PurePosixPath(name) for name in members.names if _is_recording(name, known, depth)]
        if not files:
            raise MissingData(
                f"{label(self)}: no recordings in {self.folder}; expected are "
                f"{'{train,test}/' if divided else ''}<class>/<file>, with one of the suffixes "
                f"{' '.join(sorted(known))}"
            )
        self.classes = tuple(sorted({file.parts[depth] for file in files}, key=natural_key))
        labels = {name: number for number, name in enumerate(self.classes)}

        def labelled(name: str) -> tuple[tuple[NaturalKey, str], int] | None:
            if not _is_recording(name, known, depth):
                return None
            return (natural_key(name), name), labels[PurePosixPath(name).parts[depth]]

        found = Recordings.find([members], labelled, expected="recordings")
        # Of the whole dataset, so that both splits have one size; not of the class
        vars(self)["sensor"] = self._sensor(self.folder / found.path(0))
        if divided:
            mine = np.array([found.path(i).startswith(f"{self.split}/") for i in range(len(found))])
        else:
            test = stratified(found.targets, self.test_fraction, seed=self.split_seed)
            mine = test if self.split == "test" else ~test
        if not mine.any():
            raise FormatError(
                f"{label(self)}: split {self.split!r} of {self.folder} has no recordings: of "
                f"{len(found)} in {len(self.classes)} classes, {self.protocol!r} gives it none"
            )
        return found.take(mine)

    def decode(self, index: int) -> NDArray[Any]:
        return read_events(self.folder / self.recordings.path(index), self.event_format)

    def _sensor(self, first: Path) -> tuple[int, int]:
        if self.sensor_pixels is not None:
            width, height = self.sensor_pixels
            return width, height
        try:
            return sensor_size(first, self.event_format)
        except FormatError as error:
            raise FormatError(f"{error}; say sensor_pixels=(width, height)") from error


def natural_key(name: str) -> NaturalKey:
    """Sorts names as people do: runs of digits by their value.

    Example:
        >>> sorted(["b10", "b9", "10", "2", "a"], key=natural_key)
        ['2', '10', 'a', 'b9', 'b10']
    """
    parts = _PART.findall(name)
    return tuple((0, int(p), p) if p[0].isdecimal() else (1, 0, p) for p in parts)


def _is_divided(root: Path) -> bool:
    return (root / "train").is_dir() and (root / "test").is_dir()


def _is_recording(name: str, known: frozenset[str], depth: int) -> bool:
    path = PurePosixPath(name)
    return (
        len(path.parts) > depth + 1
        and path.suffix.lower() in known
        and not any(part.startswith(".") for part in path.parts)
        and (depth == 0 or path.parts[0] in Folder.splits)
    )
