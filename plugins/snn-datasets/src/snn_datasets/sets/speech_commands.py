"""Google Speech Commands, as waveforms and as spikes."""

from __future__ import annotations

import io
import re
import wave
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from snn_datasets.archives.members import FolderMembers
from snn_datasets.archives.unpacking import unpacked
from snn_datasets.dataset import Root, Seed, Transform
from snn_datasets.errors import FormatError
from snn_datasets.event_dataset import Augment, EventDataset, Integrate
from snn_datasets.integration.slices import By
from snn_datasets.manifest import Info
from snn_datasets.place import notice, obtain
from snn_datasets.recordings import Recordings
from snn_datasets.sets.level_crossings import level_crossings
from snn_datasets.sets.log_mel import log_mel
from snn_datasets.splits import listed
from snncore.errors import ConfigError
from snncore.registry import label

_RATE = 16_000
_ARCHIVE = "speech_commands_v0.02.tar.gz"
_INSIDE = "speech_commands_v0.02"
_LISTS = {"valid": "validation_list.txt", "test": "testing_list.txt"}
_MEMBER = re.compile(r"(?:^|/)([a-z]+)/([0-9a-f]+)_nohash_([0-9]+)\.wav$")
_WINDOW_US, _HOP_US = 25_000, 10_000
_NAMES = (
    "backward bed bird cat dog down eight five follow forward four go happy house learn left "
    "marvin nine no off on one right seven sheila six stop three tree two up visual wow yes zero"
)
_WORDS = tuple(_NAMES.split())

Encoding: TypeAlias = Literal["spikes", "waveform"]


class SpeechCommands(EventDataset):
    """35 spoken English words of 2,618 speakers, one second each at 16 kHz; version 0.02.

    Encodings:
        - ``spikes``: the log energies of a mel filter bank
          (:func:`snn_datasets.sets.log_mel.log_mel`: windows of 25 ms, one every 10 ms), of which
          each band sends an event whenever it has risen (p = 1) or fallen (p = 0) by
          ``threshold_db`` (:func:`snn_datasets.sets.level_crossings.level_crossings`); the time of
          a window is its middle. x = band, y = 0. Nothing is random.
        - ``waveform``: the samples, one per time step, in -1 to 1.

    Recordings shorter than a second are followed by zeros, longer ones are cut. They are in the
    order of word, speaker, number. ``recordings.columns["speaker"]`` holds the speakers.

    Splits: "train", "valid" and "test" by the official ``validation_list.txt`` and
    ``testing_list.txt``: no speaker is in two of them.

    The archive cannot be read in place: it is unpacked once, into the folder of the same name
    beside it. Folders that are there already are found: ``root`` itself, or in it
    ``speech_commands_v0.02`` or ``SpeechCommands/speech_commands_v0.02`` (as torchaudio puts it).

    Args:
        root: folder of the files; ``SNN_DATA/speech_commands`` or the user's data folder if not
            given.
        split: "train", "valid" or "test".
        protocol: "official".
        transform, target_transform: applied to x and y.
        download: fetch missing files, verified and resumed.
        seed: of ``augment``.
        T, by, duration_us, integrate, augment: as :class:`snn_datasets.EventDataset`; of
            ``encoding="spikes"`` alone.
        encoding: see above.
        channels: bands of the filter bank, 1 to 64.
        threshold_db: change of a band that is an event.

    Shape: x ``[T, 2, 1, channels]``, float32 event counts, or ``[16000, 1, 1, 1]``.

    Raises:
        ConfigError: for a parameter of wrong type, choice or range, or one of events where
            ``encoding`` is "waveform".
        MissingData: files are missing and ``download`` is false.
        FormatError: a file is damaged.

    Example:
        >>> len(SpeechCommands.info.samples), SpeechCommands.splits
        (3, ('train', 'valid', 'test'))

    Source: P. Warden, Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition,
    arXiv:1804.03209, 2018.
    """

    info: ClassVar[Info] = Info.load("speech_commands")
    splits: ClassVar[tuple[str, ...]] = ("train", "valid", "test")

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
        by: By = "time",
        duration_us: Annotated[int, Gt(0)] | None = None,
        integrate: Integrate = None,
        augment: Augment = None,
        encoding: Encoding = "spikes",
        channels: Annotated[int, Ge(1), Le(64)] = 40,
        threshold_db: Annotated[float, Gt(0)] = 3.0,
    ) -> None:
        self.encoding: Encoding = encoding
        self.channels = channels
        self.threshold_db = threshold_db
        given = {"T": T, "duration_us": duration_us, "integrate": integrate, "augment": augment}
        of_events = [name for name, value in given.items() if value is not None]
        if encoding == "waveform" and of_events:
            raise ConfigError(
                f"dataset {label(self)}: {', '.join(of_events)} are of events, and encoding "
                "'waveform' makes none; leave them out, or take encoding='spikes'"
            )
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
        if encoding == "waveform":
            self.sample_shape = (_RATE, 1, 1, 1)

    def find(self) -> Recordings:
        self.classes = _WORDS
        # Of the instance: the number of bands is a parameter
        vars(self)["sensor"] = (self.channels, 1)
        folder = self._unpacked()
        members = FolderMembers(folder, suffix=".wav")
        found = Recordings.find(
            [members], _labelled, expected="files named <word>/<speaker>_nohash_<number>.wav"
        )
        names = [found.path(i) for i in range(len(found))]
        speakers = [match[2] for name in names if (match := _MEMBER.search(name))]
        taken = {split: listed(names, folder / file) for split, file in _LISTS.items()}
        taken["train"] = ~(taken["valid"] | taken["test"])
        found = replace(found, columns={"speaker": np.array(speakers)}).take(taken[self.split])
        official = self.info.samples[self.split]
        if len(found) != official:
            notice(folder, f"its split {self.split} has {len(found)} items, officially {official}")
        return found

    def decode(self, index: int) -> NDArray[Any]:
        bands = log_mel(
            self._samples(index),
            rate=_RATE,
            channels=self.channels,
            window_us=_WINDOW_US,
            hop_us=_HOP_US,
        )
        return level_crossings(
            bands, step_us=_HOP_US, threshold=self.threshold_db, start_us=_WINDOW_US // 2
        )

    def waveform(self, index: int) -> torch.Tensor:
        """The samples of item ``index``, float32 ``[1, 16000]`` in -1 to 1."""
        return torch.from_numpy(self._samples(self._position(index))[None])

    def load(self, index: int) -> torch.Tensor:
        if self.encoding == "spikes":
            return super().load(index)
        return self.waveform(index).reshape(self.sample_shape)

    def _samples(self, index: int) -> NDArray[np.float32]:
        samples = read_wav(self.recordings.read(index), name=self.recordings.name(index))[:_RATE]
        return np.pad(samples, (0, _RATE - samples.size))

    def _unpacked(self) -> Path:
        places = (
            self.folder,
            self.folder / _INSIDE,
            self.folder / "SpeechCommands" / _INSIDE,
        )
        for place in places:
            if all((place / file).is_file() for file in _LISTS.values()):
                return place
        (archive,) = obtain(self.info, [_ARCHIVE], [self.folder], download=self.download)
        folder = unpacked(archive, archive.parent / _INSIDE)
        for file in _LISTS.values():
            if not (folder / file).is_file():
                raise FormatError(f"{folder}, unpacked from {archive.name}, holds no {file}")
        return folder


def read_wav(data: bytes, *, name: str) -> NDArray[np.float32]:
    """The samples of a WAV file, in -1 to 1.

    Raises: FormatError unless it holds whole 16-bit samples of one channel at 16 kHz.
    """
    try:
        with wave.open(io.BytesIO(data)) as file:
            form = file.getnchannels(), file.getsampwidth(), file.getframerate()
            count, body = file.getnframes(), file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise FormatError(f"{name} is no WAV file of samples ({error})") from error
    if form != (1, 2, _RATE):
        raise FormatError(
            f"{name} holds {form[0]} channels of {8 * form[1]} bits at {form[2]} Hz; expected is "
            f"1 channel of 16 bits at {_RATE} Hz"
        )
    if len(body) != 2 * count:
        raise FormatError(f"{name} holds {len(body)} bytes, its header announces {2 * count}")
    return np.frombuffer(body, "<i2").astype(np.float32) / np.float32(1 << 15)


def _labelled(name: str) -> tuple[tuple[int, str, int], int] | None:
    match = _MEMBER.search(name)
    if match is None or match[1] not in _WORDS:
        return None
    word = _WORDS.index(match[1])
    return (word, match[2], int(match[3])), word
