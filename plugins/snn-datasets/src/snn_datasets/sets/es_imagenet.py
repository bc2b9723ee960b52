"""ES-ImageNet from its rar archive or the folder that it was unpacked into."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

import torch
from annotated_types import Gt

from snn_datasets.archives.members import FolderMembers, Members, open_members
from snn_datasets.archives.rar_members import need_rar
from snn_datasets.dataset import Root, Seed, Transform
from snn_datasets.errors import FormatError
from snn_datasets.event_dataset import Augment, EventDataset, Integrate
from snn_datasets.integration.slices import By
from snn_datasets.manifest import Info
from snn_datasets.place import obtain
from snn_datasets.recordings import Recordings
from snn_datasets.sets.windows import window_frames

_STEPS = 8
_CLASSES = 1000
_LABELS = "vallabel.txt"
_TRAIN = re.compile(r"(?:^|/)train/class([0-9]+)/([^/]+)\.npz$")
_VAL = re.compile(r"(?:^|/)val/([^/]+)\.npz$")


class ESImageNet(EventDataset):
    """ImageNet as simulated events: images moved along a fixed path in eight steps, 256x256 pixels.

    The folder that the archive was unpacked into is read wherever ``train/class<k>/*.npz``,
    ``val/*.npz`` and ``vallabel.txt`` lie in it; else the 25 parts of the rar archive, for which
    the package rarfile and a program that unpacks rar are needed before anything is downloaded.

    The time of an event is its step, 1 to 8. With T = 8, which is also taken if neither T nor
    ``duration_us`` is given, frame j holds the events of step j + 1, whatever ``by`` says; any
    other T cuts the events by count or time as elsewhere.

    Args:
        root: folder of the files; ``SNN_DATA/es_imagenet`` or the user's data folder if not given.
        split: "train" or "val", whose labels are those of ``vallabel.txt``.
        protocol: "official".
        transform, target_transform: applied to x and y.
        download: fetch missing files, verified and resumed: 100 GB.
        seed: of all randomness of the items.
        T, by, duration_us, integrate, augment: as for all datasets of events
            (:class:`snn_datasets.EventDataset`), but for T = 8.

    Shape: x ``[T, 2, 256, 256]``, float32 event counts; the content fills 224x224.

    Raises: as :class:`snn_datasets.EventDataset`, and MissingExtra without rarfile.

    Example:
        >>> ESImageNet.sensor, ESImageNet.splits
        ((256, 256), ('train', 'val'))

    Source: Y. Lin et al., ES-ImageNet: a million event-stream classification dataset for spiking
        neural networks, Frontiers in Neuroscience 15:726582, 2021.
    """

    info: ClassVar[Info] = Info.load("es_imagenet")
    sensor: ClassVar[tuple[int, int]] = (256, 256)
    splits: ClassVar[tuple[str, ...]] = ("train", "val")
    format: ClassVar[str] = "snn-datasets/npz"

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
    ) -> None:
        super().__init__(
            root,
            split=split,
            protocol=protocol,
            transform=transform,
            target_transform=target_transform,
            download=download,
            seed=seed,
            T=_STEPS if T is None and duration_us is None else T,
            by=by,
            duration_us=duration_us,
            integrate=integrate,
            augment=augment,
        )

    def find(self) -> Recordings:
        self.classes = tuple(f"class{k}" for k in range(_CLASSES))
        pattern = _TRAIN if self.split == "train" else _VAL
        source = self._source(pattern, ".npz")
        if self.split == "train":
            return Recordings.find(
                [source], _of_class, expected="files named train/class<number>/<image>.npz"
            )
        labels = _labels(self._source(re.compile(rf"(?:^|/){_LABELS}$"), _LABELS))

        def labelled(name: str) -> tuple[str, int] | None:
            match = _VAL.search(name)
            if match is None:
                return None
            if match[1] not in labels:
                raise FormatError(f"{source.path}: {_LABELS} has no label for {name}")
            return match[1], labels[match[1]]

        return Recordings.find([source], labelled, expected="files named val/<image>.npz")

    def load(self, index: int) -> torch.Tensor:
        if self.T != _STEPS or self.integrate is not None:
            return super().load(index)
        events = self.vary(self.events(index), index)
        made = window_frames(events, start=1, stop=_STEPS + 1, T=_STEPS, size=self.sensor)
        return torch.from_numpy(made)

    def _source(self, pattern: re.Pattern[str], suffix: str) -> Members:
        if self.folder.is_dir():
            loose = FolderMembers(self.folder, suffix=suffix)
            if any(pattern.search(name) for name in loose.names):
                return loose
        if self.download:  # before 100 GB come that nothing here could read
            need_rar()
        files = [archive.file for archive in self.info.archives]
        first, *_ = obtain(self.info, files, [self.folder], download=self.download)
        return open_members(first, suffix=suffix)


def _of_class(name: str) -> tuple[tuple[int, str], int] | None:
    match = _TRAIN.search(name)
    if match is None or int(match[1]) >= _CLASSES:
        return None
    return (int(match[1]), match[2]), int(match[1])


def _labels(source: Members) -> dict[str, int]:
    """The class of each image of the val split: lines of a file name and a number."""
    labels = dict[str, int]()
    for line in filter(None, map(str.strip, source.read(0).decode("utf-8-sig").splitlines())):
        name, _, number = line.partition(" ")
        if not number.strip().isdecimal() or int(number) >= _CLASSES:
            raise FormatError(
                f"{source.path}, {source.names[0]} holds the line {line!r}; expected are a file "
                f"name and a class below {_CLASSES}"
            )
        labels[name.rpartition("/")[2].removesuffix(".npz")] = int(number)
    return labels
