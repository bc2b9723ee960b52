"""Speech Commands from a small archive that the test writes."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
import wave
import zlib
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import snncore
from snn_datasets import FormatError, MissingData, SpeechCommands
from snn_datasets.archives import unpacking
from snn_datasets.archives.unpacking import unpacked
from snn_datasets.augment import DropEvents, TimeJitter
from snn_datasets.sets.level_crossings import level_crossings
from snn_datasets.sets.log_mel import log_mel
from snn_datasets.sets.speech_commands import read_wav
from snncore.errors import ConfigError
from snncore.testing.dataset import DatasetConformance

pytestmark = pytest.mark.filterwarnings("ignore:.*is not the published file")
SPEAKERS = {"train": ("0a1b", "c3"), "valid": ("dd4",), "test": ("0f", "eee")}
WORDS = ("yes", "backward", "on")


def wav(samples: Any, *, rate: int = 16_000, channels: int = 1, width: int = 2) -> bytes:
    body = io.BytesIO()
    with wave.open(body, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return body.getvalue()


def speech(name: str, count: int = 16_000) -> Any:
    random = np.random.default_rng(zlib.crc32(name.encode()))
    time = np.arange(count) / 16_000
    tone = np.sin(2 * np.pi * random.uniform(200, 3000) * time) * np.exp(
        -((time - 0.4) ** 2) / 0.02
    )
    return np.rint(8000 * tone + random.normal(0, 20, count))


def contents() -> dict[str, bytes]:
    files = {}
    for split, speakers in SPEAKERS.items():
        names = [f"{w}/{s}_nohash_{i}.wav" for w in WORDS for s in speakers for i in (0, 10, 2)]
        files.update({name: wav(speech(name)) for name in names})
        if split != "train":
            file = {"valid": "validation_list.txt", "test": "testing_list.txt"}[split]
            files[file] = "".join(f"{name}\n" for name in names).encode()
    files["_background_noise_/white.wav"] = wav(np.zeros(10))
    files["README.md"] = b"hello"
    return files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "unpacked"
    for name, body in contents().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return folder


def pack(path: Path, files: dict[str, bytes]) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return path.read_bytes()


def test_splits_and_order(root: Path) -> None:
    seen: set[str] = set()
    for split, speakers in SPEAKERS.items():
        dataset = SpeechCommands(root, split=split)
        paths = [dataset.recordings.path(i) for i in range(len(dataset))]
        assert paths == [
            f"{word}/{speaker}_nohash_{number}.wav"
            for word in sorted(WORDS)
            for speaker in sorted(speakers)
            for number in (0, 2, 10)
        ]
        assert [dataset.classes[y] for y in dataset.targets] == [p.split("/")[0] for p in paths]
        found = dataset.recordings.columns["speaker"].tolist()
        assert found == [p.split("/")[1].split("_")[0] for p in paths]
        assert not set(found) & seen
        seen |= set(found)
    assert len(SpeechCommands(root).classes) == len(set(SpeechCommands(root).classes)) == 35


def test_waveforms_are_the_samples(root: Path) -> None:
    dataset = SpeechCommands(root, encoding="waveform")
    name = dataset.recordings.path(4)
    expected = (speech(name) / 32768).astype(np.float32)
    assert dataset.sample_shape == (16_000, 1, 1, 1)
    np.testing.assert_array_equal(dataset[4][0].flatten().numpy(), expected)
    assert dataset.waveform(-1).shape == (1, 16_000)
    (root / name).write_bytes(wav(speech(name)[:9000]))
    short = dataset.waveform(4).numpy()[0]
    np.testing.assert_array_equal(short[:9000], expected[:9000])
    assert not short[9000:].any()
    (root / name).write_bytes(wav(np.tile(speech(name), 2)))
    np.testing.assert_array_equal(dataset.waveform(4).numpy()[0], expected)


def test_spikes_are_the_crossings_of_the_bands(root: Path) -> None:
    dataset = SpeechCommands(root, channels=20, threshold_db=2.5, T=25)
    events = dataset.events(3)
    bands = log_mel(dataset.waveform(3).numpy()[0], rate=16_000, channels=20)
    expected = level_crossings(bands, step_us=10_000, threshold=2.5, start_us=12_500)
    assert np.array_equal(events, expected)
    assert 12_500 <= events["t"][0] <= events["t"][-1] <= 12_500 + 97 * 10_000
    assert dataset[3][0].shape == (25, 2, 1, 20)
    assert dataset[3][0].sum() == len(events) > 50
    half = SpeechCommands(root, channels=20, threshold_db=2.5, augment=DropEvents(0.5))
    assert half[3][0].sum() == len(events) - round(len(events) / 2)
    twin = pickle.loads(pickle.dumps(half))
    assert twin[3][0].equal(half[3][0])


def test_parameters_of_events_do_not_go_with_waveforms(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"T, augment are of events, and encoding 'waveform' mak"):
        SpeechCommands(root, encoding="waveform", T=3, augment=TimeJitter(10))
    with pytest.raises(ConfigError, match=r"channels: input should be less than or equal to 64"):
        SpeechCommands(root, channels=65)
    with pytest.raises(ConfigError, match=r"split: input should be 'train' or 'valid' or 'test'"):
        snncore.build("dataset", "speech_commands", root=str(root), split="validation")


def test_folders_of_other_readers_are_found(root: Path, tmp_path: Path) -> None:
    place = tmp_path / "data" / "speech_commands" / "SpeechCommands"
    place.mkdir(parents=True)
    root.rename(place / "speech_commands_v0.02")
    assert len(SpeechCommands()) == 18


def test_the_archive_is_fetched_and_unpacked_once(
    server: Any, answer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = pack(tmp_path / "source.tar.gz", contents())
    archive = replace(
        SpeechCommands.info.archives[0],
        urls=(server.url("/a.tar.gz", answer(body)),),
        bytes=len(body),
        md5=hashlib.md5(body).hexdigest(),
        sha256=None,
    )
    monkeypatch.setattr(SpeechCommands, "info", replace(SpeechCommands.info, archives=(archive,)))
    root = tmp_path / "fresh"
    with pytest.raises(MissingData, match=r"v0\.02\.tar\.gz is missing; looked in .*/fresh"):
        SpeechCommands(root)
    assert len(SpeechCommands(root, download=True)) == 18
    assert len(SpeechCommands(root, split="test")) == 18
    assert len(server.requests) == 1
    left = {path.name for path in root.iterdir() if not path.name.endswith(".lock")}
    assert left == {"speech_commands_v0.02", "speech_commands_v0.02.tar.gz"}
    (root / "speech_commands_v0.02" / "testing_list.txt").unlink()
    with pytest.raises(
        FormatError, match=r"speech_commands_v0\.02, unpacked from .* holds no test"
    ):
        SpeechCommands(root)


def test_a_killed_unpacking_is_begun_again(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    pack(archive, {"x/1": b"one", "y/2": b"two"})
    stale = tmp_path / ".a.99999.part"
    stale.mkdir()
    (stale / "half").write_bytes(b"")
    folder = unpacked(archive, tmp_path / "a")
    assert (folder / "x" / "1").read_bytes() == b"one"
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".lock") == ["a", "a.tar.gz"]
    archive.unlink()
    assert unpacked(archive, folder) == folder


@pytest.mark.parametrize("keep", [0, 5, 60, 200])
def test_a_cut_archive_leaves_nothing_behind(tmp_path: Path, keep: int) -> None:
    archive = tmp_path / "a.tar.gz"
    body = pack(archive, {"x": os.urandom(3000), "y": b"two"})
    archive.write_bytes(body[:keep] if keep < 100 else body[:-keep])
    with pytest.raises(FormatError, match=r"a\.tar\.gz is no whole tar archive"):
        unpacked(archive, tmp_path / "a")
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".lock") == ["a.tar.gz"]


def test_names_that_lead_out_are_refused(tmp_path: Path) -> None:
    archive = tmp_path / "in" / "a.tar.gz"
    pack(archive, {"../../evil": b"!"})
    with pytest.raises(FormatError, match=r"a\.tar\.gz is refused: .*evil"):
        unpacked(archive, tmp_path / "in" / "a")
    assert not list(tmp_path.rglob("evil"))


def test_a_full_disk_is_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "a.tar.gz"
    pack(archive, {"x": os.urandom(5000)})
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda _: usage(0, 0, 100))
    with pytest.raises(MissingData, match=r"which 10\.. kB should be free; there are 100 bytes"):
        unpacked(archive, tmp_path / "a")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", r"a\.wav is no WAV file of samples"),
        (b"RIFFnothing much", r"a\.wav is no WAV file of samples"),
        (wav([1, 2], rate=8000), r"holds 1 channels of 16 bits at 8000 Hz; expected is 1 channel"),
        (wav([1, 2], channels=2), r"holds 2 channels of 16 bits at 16000 Hz"),
        (wav([1, 2, 3, 4])[:-2], r"holds 6 bytes, its header announces 8"),
    ],
)
def test_other_sound_files_are_named(data: bytes, text: str) -> None:
    with pytest.raises(FormatError, match=text):
        read_wav(data, name="a.wav")


class TestSpikes(DatasetConformance):
    component = "snn-datasets/speech_commands"

    @pytest.fixture(autouse=True)
    def _files(self, root: Path) -> None:
        self.params = {"root": str(root), "T": 20, "augment": TimeJitter(500)}


class TestWaveform(DatasetConformance):
    component = "snn-datasets/speech_commands"

    @pytest.fixture(autouse=True)
    def _files(self, root: Path) -> None:
        self.params = {"root": str(root), "encoding": "waveform"}
