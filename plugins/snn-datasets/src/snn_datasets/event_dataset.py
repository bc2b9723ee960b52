"""What every dataset of recorded events is."""

from __future__ import annotations

import io
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
import torch
from annotated_types import Gt
from numpy.typing import NDArray

import snncore
from snn_datasets.archives.members import Members, open_members
from snn_datasets.archives.rar_members import need_rar
from snn_datasets.augment.compose import output_size
from snn_datasets.cache.reader import EventCache, find_cache
from snn_datasets.dataset import Dataset, Root, Seed, Transform
from snn_datasets.integration.frames import Frames
from snn_datasets.integration.slices import By
from snn_datasets.place import obtain
from snn_datasets.recordings import Recordings
from snncore.config import validate
from snncore.errors import ConfigError
from snncore.registry import label

_FRAMES = 10
Integrate: TypeAlias = (
    Callable[[NDArray[Any], tuple[int, int]], NDArray[Any]] | Mapping[str, Any] | None
)
"""``(events, (width, height)) -> [T, P, H, W]``, or a table of what :class:`Frames` takes."""
Augment: TypeAlias = (
    Callable[[NDArray[Any], np.random.Generator, tuple[int, int]], NDArray[Any]] | None
)
"""``(events, generator, (width, height)) -> events``, before they are cut into frames."""


class EventDataset(Dataset):
    """Base of datasets of recorded events, which are cut into frames when an item is asked for.

    A subclass says ``info``, ``sensor``, ``splits``, ``protocols`` and ``format``, and defines
    :meth:`find`, which lists the recordings of a split without decoding any. Where a file of a
    recording needs more than its format, it overrides :meth:`decode`. One that has parameters of
    its own repeats those below, stores its own, and calls this constructor.

    Args:
        root: folder of the files; ``SNN_DATA/<name>`` or the user's data folder if not given.
        split: one of ``splits``.
        protocol: one of ``protocols``, the ways of dividing train from test.
        transform, target_transform: applied to x and y.
        download: fetch missing files, verified and resumed.
        seed: of all randomness of the items.
        T: number of frames; 10 if neither this nor ``duration_us`` is given.
        by: what the ``T`` frames share evenly, events ("count") or time ("time").
        duration_us: microseconds per frame; items then differ in length.
        integrate: makes ``x`` of the events in another way: a function of events and sensor, or a
            table of parameters of :class:`snn_datasets.Frames`, such as ``{"binary": True, "shift":
            2, "crop": [32, 32]}``; ``T``, ``by`` and ``duration_us`` hold unless it cuts itself.
        augment: changes the events before, with random numbers of :meth:`generator` alone, as all
            of :mod:`snn_datasets.augment`. One that crops changes ``sample_shape``.

    Once :meth:`prepare` has been called, the events come from a cache that is mapped into memory,
    in this and in all later runs.

    Attributes:
        recordings: what :meth:`find` listed.
        cache: where events come from instead of the published files; None if :meth:`prepare` has
            not been called, or the files have changed since. May be set to None.
        sample_shape: ``(T, P, H, W)``; -1 for a T that differs between items.

    Shape: x ``[T, P, H, W]``, float32 event counts unless ``integrate`` gives others.

    Raises:
        ConfigError: for a parameter of wrong type, choice or range.
        MissingData: a file is missing and ``download`` is false.
        FormatError: a file is damaged.
    """

    temporal: ClassVar[bool] = True
    sensor: ClassVar[tuple[int, int]]
    """(width, height) in pixels."""
    polarities: ClassVar[int] = 2
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    protocols: ClassVar[tuple[str, ...]] = ("official",)
    format: ClassVar[str]
    """Qualified name of the format of the files."""
    version: ClassVar[int] = 1
    """Counted up when :meth:`decode` gives other events of the same files."""
    after_decoding: ClassVar[tuple[str, ...]] = ()
    """Own parameters that :meth:`decode` does not look at; all others have caches of their own."""
    recordings: Recordings
    cache: EventCache | None

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
        self.T = _FRAMES if T is None and duration_us is None else T
        self.by: By = by
        self.duration_us = duration_us
        self.integrate = integrate
        self.augment = augment
        super().__init__(
            root,
            split=split,
            protocol=self.protocols[0] if protocol is None else protocol,
            transform=transform,
            target_transform=target_transform,
            download=download,
            seed=seed,
        )
        self._check_choices()
        self.recordings = self.find()
        self.targets = self.recordings.targets
        self._frames = self._rule()
        self.sample_shape = self._shape()
        self.cache = find_cache(self)

    @abstractmethod
    def find(self) -> Recordings:
        """The recordings of ``self.split`` under ``self.protocol``; sets ``classes`` as well."""

    def decode(self, index: int) -> NDArray[Any]:
        """The events of item ``index`` (0 <= index < len) from its published file.

        Of the dataset, it may look at :attr:`recordings` and at own parameters; what it gives is
        kept by :meth:`prepare`.
        """
        decoder = snncore.build("format", self.format)
        return decoder.read(
            io.BytesIO(self.recordings.read(index)), name=self.recordings.name(index)
        )

    def events(self, index: int) -> NDArray[Any]:
        """The recording of item ``index`` as it was published, not augmented."""
        position = self._position(index)
        return self.decode(position) if self.cache is None else self.cache.events(position)

    def prepare(self, *, workers: int = 0, progress: bool = True) -> EventCache:
        """Decodes all recordings once into a cache that this and all later runs read.

        It serves all splits that are drawn from the same archives, any number of frames and any
        augmentation; see :func:`snn_datasets.cache.writer.prepare`.

        Args:
            workers: processes that decode; 0 for this one.
            progress: show a bar if this is a terminal.

        Raises:
            FormatError: a recording is damaged.
            CacheError: there is no place to write to, or no space left.
        """
        from snn_datasets.cache.writer import prepare  # rich and locks are needed for this alone

        self.cache = prepare(self, workers=workers, progress=progress)
        return self.cache

    def varies(self) -> bool:
        """Whether :meth:`vary` may change anything; if not, packed events are cut as they are."""
        return self.augment is not None or type(self).vary is not EventDataset.vary

    def vary(self, events: NDArray[Any], index: int) -> NDArray[Any]:
        """The events as they are in this epoch, with random numbers of :meth:`generator` alone."""
        if self.augment is None:
            return events
        return self.augment(events, self.generator(index), self.sensor)

    def load(self, index: int) -> torch.Tensor:
        own = not callable(self.integrate) or isinstance(self.integrate, Frames)
        if self.cache is not None and own and not self.varies():
            return self.cut(self.cache.words(index))  # these take packed events as they are
        return self.cut(self.vary(self.events(index), index))

    def cut(self, events: NDArray[Any]) -> torch.Tensor:
        """The ``x`` that events make, on the sensor that ``augment`` leaves."""
        if callable(self.integrate):
            return torch.from_numpy(self.integrate(events, self.size))
        made = torch.from_numpy(self._frames(events, self.size))
        return made if made.shape[1] == self.polarities else made[:, : self.polarities]

    def open(self, file: str, *, suffix: str = "") -> Members:
        """An archive of the manifest, or the folder that it was unpacked into.

        Raises:
            MissingData: there is neither and ``download`` is false.
            MissingExtra: a rar archive, and there is nothing to read it with.
        """
        unpacked = self.folder / file.partition(".")[0]
        if unpacked.is_dir():
            return open_members(unpacked, suffix=suffix)
        if file.endswith(".rar"):
            need_rar()  # before it is downloaded
        (path,) = obtain(self.info, [file], [self.folder], download=self.download)
        return open_members(path, suffix=suffix)

    def _check_choices(self) -> None:
        for name, value, choices in (
            ("split", self.split, self.splits),
            ("protocol", self.protocol, self.protocols),
        ):
            if value not in choices:
                raise ConfigError(
                    f"dataset {label(self)}: {name}: input should be "
                    f"{' or '.join(map(repr, choices))}, got {value!r}"
                )

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the sensor after ``augment``."""
        return self.sensor if self.augment is None else output_size(self.augment, self.sensor)

    def _rule(self) -> Frames:
        """How items are cut, unless ``integrate`` is a function."""
        lengths = {"T": self.T, "duration_us": self.duration_us}
        table: dict[str, Any] = {**lengths, "by": "count" if self.T is None else self.by}
        if isinstance(self.integrate, Mapping):
            if {"T", "duration_us", "count"} & set(self.integrate):
                table = {}
            where = f"dataset {label(self)}: integrate"
            table = validate(Frames, {**table, **self.integrate}, where)
        return Frames(**table)

    def _shape(self) -> tuple[int, ...]:
        own = self.integrate if isinstance(self.integrate, Frames) else self._frames
        planes, height, width = own.shape(self.size)
        steps = -1 if own.T is None else own.T
        return steps, min(planes, self.polarities), height, width
