from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import snncore
from snn_datasets import NMNIST, Archive, make_events, read_events, sensor_size, write_events
from snn_datasets.cli import convert
from snncore.cli.group import app

Snn = Callable[..., Result]
pytestmark = pytest.mark.filterwarnings("ignore:.*is not the published file")


@pytest.fixture
def snn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Snn:
    """Runs ``snn data`` with these words, in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*words: object) -> Result:
        return CliRunner().invoke(app, ["data", *map(str, words)], env={"COLUMNS": "400"})

    return run


@pytest.fixture
def published(
    nmnist_root: Path, server: Any, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> dict[str, bytes]:
    """Makes the archives of the fixture the published ones, served by a local server."""
    bodies = {name: (nmnist_root / name).read_bytes() for name in ("Train.zip", "Test.zip")}
    archives = tuple(
        Archive(
            name,
            (server.url(f"/{name}", answer(body)),),
            len(body),
            hashlib.md5(body).hexdigest(),
        )
        for name, body in bodies.items()
    )
    info = dataclasses.replace(NMNIST.info, archives=archives, samples={"train": 12, "test": 5})
    monkeypatch.setattr(NMNIST, "info", info)
    return bodies


def rows(text: str) -> dict[str, list[str]]:
    """Cells of the lines of a table by their first, as two blanks part them."""
    cells = [re.split(r" {2,}", line.strip()) for line in text.splitlines()]
    return {row[0]: row[1:] for row in cells if row[0]}


def test_help_imports_no_torch() -> None:
    for words in (["--help"], ["data", "--help"]):
        code = (
            "import sys\nfrom snncore.cli import main\n"
            f"try: main({words!r})\nexcept SystemExit as end: assert not end.code\n"
            "assert 'torch' not in sys.modules"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        assert "look at and convert data" in ran.stdout
    for name in ("list", "info", "prepare", "verify", "preview", "import", "convert"):
        assert name in ran.stdout


# list and info


def test_the_list_says_what_is_here(snn: Snn, published: dict[str, bytes], tmp_path: Path) -> None:
    ran = snn("list")
    assert ran.exit_code == 0
    found = rows(ran.stdout)
    assert found["n_mnist"] == ["N-MNIST", "17", "1.1 GB", "auto", "CC BY-SA 4.0", "missing"]
    assert found["digits"][-2:] == ["CC BY 4.0", "none needed"]
    assert f"files and caches in {tmp_path}/data" in ran.stdout
    place = tmp_path / "data" / "n_mnist"
    place.mkdir(parents=True)
    (place / "Test.zip").write_bytes(published["Test.zip"])
    assert rows(snn("list").stdout)["n_mnist"][-1] == "1 of 2"
    (place / "Train").mkdir()
    assert rows(snn("list").stdout)["n_mnist"][-1] == "present"


def test_the_list_as_json(snn: Snn) -> None:
    made = json.loads(snn("list", "--json").stdout)
    assert made["schema"] == 1
    table = {row["name"]: row for row in made["datasets"]}
    assert set(table) >= {"digits", "mnist", "n_mnist"}
    assert table["mnist"] == {
        "name": "mnist",
        "title": "MNIST",
        "items": 70000,
        "size": "11.6 MB",
        "access": "auto",
        "licence": "CC BY-SA 3.0",
        "files": "missing",
        "cache": "",
    }


def test_every_dataset_can_be_listed_and_shown(snn: Snn) -> None:
    names = [component.qualified for component in snncore.components("dataset")]
    for name in names:
        assert snn("info", name).exit_code == 0, name
        assert json.loads(snn("info", name, "--json").stdout)["component"] == name


def test_info_shows_the_whole_manifest(snn: Snn, tmp_path: Path) -> None:
    ran = snn("info", "n_mnist")
    assert ran.exit_code == 0
    found = rows(ran.stdout)
    info = NMNIST.info
    for key, value in {
        "title": info.title,
        "licence": info.licence,
        "citation": info.citation,
        "home page": info.homepage,
        "size": info.size,
        "items": "60,000 train, 10,000 test",
        "sensor": "34 x 34",
        "access": "auto",
        "splits": "train, test",
        "protocols": "official",
        "folder": f"{tmp_path}/data/n_mnist",
    }.items():
        assert found[key] == [value]
    assert found["Train.zip"] == ["auto", "no", info.archives[0].md5]
    for quirk in info.quirks:
        assert f"Note: {quirk}" in ran.stdout
    assert ran.stdout.endswith("To get it: snn data prepare n_mnist\n")


def test_info_of_choices_that_are_literals(snn: Snn) -> None:
    found = rows(snn("info", "mnist").stdout)
    assert found["splits"] == ["train, test"]
    assert found["protocols"] == ["official, t10k_8k_2k"]


def test_info_says_what_a_person_has_to_do(
    snn: Snn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archives = (Archive("Train.zip", page="https://example.org/form", access="manual"),)
    info = dataclasses.replace(
        NMNIST.info,
        archives=archives,
        manual="Accept the licence.",
        counts={"paper": {"train": 7, "test": 3}},
    )
    monkeypatch.setattr(NMNIST, "info", info)
    ran = snn("info", "n_mnist", "--root", tmp_path / "mine")
    assert rows(ran.stdout)["items, paper"] == ["7 train, 3 test"]
    assert rows(ran.stdout)["access"] == ["manual"]
    steps = (
        "By hand:\n"
        "  get Train.zip from https://example.org/form\n"
        "  Accept the licence.\n"
        f"  and put it, not unpacked, into {tmp_path}/mine\n"
        f"  (or type: snn data prepare n_mnist --from FOLDER|ZIP --root {tmp_path}/mine)\n"
    )
    assert steps in ran.stdout
    made = json.loads(snn("info", "n_mnist", "--json", "--root", tmp_path / "mine").stdout)
    assert made["manual"] == "Accept the licence."
    assert steps in made["instructions"]
    assert made["archives"][0]["access"] == "manual"
    ran = snn("prepare", "n_mnist", "--root", tmp_path / "mine")
    assert ran.exit_code == 1
    assert "No program may fetch Train.zip, a person has to get it.\nBy hand:" in ran.stderr


@pytest.mark.parametrize("command", ["info", "prepare", "verify", "preview"])
def test_a_wrong_name_is_answered_with_near_ones(snn: Snn, command: str) -> None:
    ran = snn(command, "n_mnst")
    assert ran.exit_code == 2
    assert "unknown dataset 'n_mnst'; did you mean 'n_mnist'" in ran.stderr
    if command in ("verify", "preview"):
        assert "nor is there a file or folder n_mnst" in ran.stderr


# prepare


def test_prepare_fetches_verifies_and_is_done_the_second_time(
    snn: Snn, published: dict[str, bytes], server: Any, tmp_path: Path
) -> None:
    place = tmp_path / "data" / "n_mnist"
    place.mkdir(parents=True)
    (place / "Train.zip.part").write_bytes(published["Train.zip"][:300])
    ran = snn("prepare", "n_mnist")
    assert ran.exit_code == 0, ran.stderr
    assert server.requests == [("/Train.zip", "bytes=300-"), ("/Test.zip", None)]
    assert "train: NMNIST(split='train', protocol='official'): 12 items of shape" in ran.stdout
    assert "test: NMNIST(split='test', protocol='official'): 5 items of shape" in ran.stdout
    assert re.search(rf"snn-datasets/n_mnist is ready in {place}; cache ready, \d", ran.stdout)
    files, cache = rows(snn("list").stdout)["n_mnist"][-2:]
    assert (files, cache) == ("present", ran.stdout.rpartition("cache ")[2].strip())
    assert rows(snn("info", "n_mnist").stdout)["cache"] == [cache]
    assert {name: (place / name).read_bytes() for name in published} == published
    assert snn("prepare", "n_mnist", "--no-download").exit_code == 0
    assert len(server.requests) == 2


def test_prepare_of_one_split_with_parameters(
    snn: Snn, published: dict[str, bytes], server: Any, tmp_path: Path
) -> None:
    words = ("--split", "test", "--protocol", "official", "--set", "T=3", "--root", tmp_path / "r")
    ran = snn("prepare", "n_mnist", *words)
    assert ran.exit_code == 0, ran.stderr
    assert "test: NMNIST(split='test', protocol='official'): 5 items of shape [3, 2, 34, 34]" in (
        ran.stdout
    )
    assert server.requests == [("/Test.zip", None)]
    ran = snn("prepare", "n_mnist", "--set", "T=0")
    assert ran.exit_code == 2
    assert re.search(r"n_mnist: T: [iI]nput should be greater than 0", ran.stderr)


def test_prepare_takes_what_a_person_has_fetched(
    snn: Snn, published: dict[str, bytes], server: Any, tmp_path: Path
) -> None:
    downloads = tmp_path / "all.zip"
    with zipfile.ZipFile(downloads, "w") as packed:
        packed.writestr("n-mnist/file_downloaded", published["Train.zip"])
        packed.writestr("n-mnist/Test.zip", published["Test.zip"])
    ran = snn("prepare", "n_mnist", "--from", downloads, "--no-download")
    assert ran.exit_code == 0, ran.stderr
    assert server.requests == []
    assert f"have {tmp_path}/data/n_mnist/Train.zip" in ran.stdout
    ran = snn("prepare", "digits", "--from", downloads)
    assert ran.exit_code == 2
    assert "snn-datasets/digits needs no files; leave out --from" in ran.stderr


def test_prepare_says_what_is_missing(
    snn: Snn, published: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran = snn("prepare", "n_mnist", "--no-download")
    assert ran.exit_code == 1
    assert ran.stderr.startswith("Error: N-MNIST: Train.zip is missing; looked in ")
    assert "  (or type: snn data prepare n_mnist --from FOLDER|ZIP)" in ran.stderr
    monkeypatch.setenv("SNN_DATA_OFFLINE", "1")
    ran = snn("prepare", "n_mnist")
    assert ran.exit_code == 1
    assert "SNN_DATA_OFFLINE is set, so nothing is downloaded" in ran.stderr
    ran = snn("prepare", "n_mnist", "--from", tmp_path)
    assert ran.exit_code == 0, "the fixture's own folder is below: found by name"


def test_prepare_looks_for_room_first(
    snn: Snn, published: dict[str, bytes], server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from snn_datasets.getting import space

    free = type("Usage", (), {"free": 64 * 2**20 + 100})
    monkeypatch.setattr(space.shutil, "disk_usage", lambda path: free)
    ran = snn("prepare", "n_mnist")
    assert ran.exit_code == 1
    assert re.search(r"has 67\.1 MB free, N-MNIST.* needs [0-9.]+ kB\. Free some space", ran.stderr)
    assert server.requests == []


# verify


def test_verify_counts_what_is_in_the_files(
    snn: Snn, published: dict[str, bytes], nmnist_root: Path
) -> None:
    ran = snn("verify", "n_mnist", "--root", nmnist_root, "--json")
    assert ran.exit_code == 0, ran.stdout
    made = json.loads(ran.stdout)
    assert not made["faulty"]
    parts = {part["name"]: part for part in made["parts"]}
    assert set(parts) == {"Train.zip", "Test.zip", "train", "test"}
    for split, count in (("train", 12), ("test", 5)):
        events = on = span = 0
        with zipfile.ZipFile(nmnist_root / f"{split.title()}.zip") as archive:
            for name in archive.namelist():
                raw = archive.read(name)
                records = [raw[i : i + 5] for i in range(0, len(raw), 5)]
                times = [(r[2] & 127) << 16 | r[3] << 8 | r[4] for r in records]
                events += len(records)
                on += sum(r[2] >> 7 for r in records)
                span += max(times) - min(times) if times else 0
        found = parts[split]["summary"]
        assert (found["recordings"], found["events"]) == (count, events)
        assert found["on_share"] == on / events
        assert found["duration_s"] == pytest.approx(span / 1e6)
        assert found["sensor"] == [34, 34]
    ran = snn("verify", "n_mnist", "--root", nmnist_root, "--split", "test")
    assert ran.exit_code == 0
    assert rows(ran.stdout)["test"][:2] == ["5", "215"]
    assert ran.stdout.endswith("no faults\n")


def test_verify_finds_files_that_are_not_the_published_ones(snn: Snn, nmnist_root: Path) -> None:
    ran = snn("verify", "n_mnist", "--root", nmnist_root, "--split", "test")
    assert ran.exit_code == 1
    assert re.search(
        rf"Test\.zip: {nmnist_root}/Test\.zip is not the published file: its md5 is", ran.stdout
    )


def test_verify_goes_on_after_a_damaged_recording(
    snn: Snn, published: dict[str, bytes], nmnist_root: Path
) -> None:
    body = bytearray((nmnist_root / "Test.zip").read_bytes())
    at = body.index(b"00003.bin") + 12
    body[at] ^= 255
    (nmnist_root / "Test.zip").write_bytes(body)
    ran = snn("verify", "n_mnist", "--root", nmnist_root, "--split", "test")
    assert ran.exit_code == 1
    assert "test: 1 recording cannot be read" in ran.stdout
    assert "00003.bin: its data" in ran.stdout
    assert "Test.zip: " in ran.stdout


def test_verify_compares_the_cache_with_the_files(
    snn: Snn, published: dict[str, bytes], nmnist_root: Path
) -> None:
    NMNIST(nmnist_root, split="test").prepare(progress=False)
    words = ("verify", "n_mnist", "--root", nmnist_root, "--split", "test")
    assert snn(*words).exit_code == 0
    (path,) = nmnist_root.glob(".snn/*/events.bin")
    body = bytearray(path.read_bytes())
    body[0] ^= 1  # the polarity of the first event
    path.write_bytes(body)
    ran = snn(*words)
    assert ran.exit_code == 1
    said = rf"test: 1 recording is another in the cache {path.parent} than in the files; delete it"
    assert re.search(said, ran.stdout)


def test_verify_of_images(snn: Snn, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = snn("verify", "digits", "--protocol", "last_writers")
    assert ran.exit_code == 0
    assert rows(ran.stdout)["test"][1] == "none"
    from snn_datasets import Digits

    load = Digits.load

    def broken(self: Any, index: int) -> Any:
        return load(self, index) / (index != 3)

    monkeypatch.setattr(Digits, "load", broken)
    ran = snn("verify", "digits", "--split", "test")
    assert ran.exit_code == 1
    assert "test: 1 items are not finite numbers of shape [1, 8, 8]" in ran.stdout


def faulty() -> Any:
    random = np.random.default_rng(3)
    events = make_events(
        t=np.arange(2000) * 10,
        x=random.integers(0, 20, 2000),
        y=random.integers(0, 30, 2000),
        p=random.integers(0, 2, 2000),
    )
    events["x"][::4], events["y"][::4] = 7, 9
    events["t"][100] = 0
    return events


def test_verify_of_a_file(snn: Snn, tmp_path: Path) -> None:
    events = faulty()
    write_events(tmp_path / "a.npz", events)
    ran = snn("verify", tmp_path / "a.npz")
    assert ran.exit_code == 1
    assert "a.npz: 1 event is out of order" in ran.stdout
    share = np.mean((events["x"] == 7) & (events["y"] == 9))
    assert f"a.npz: pixel x=7, y=9 is hot: {share:.2%} of all events" in ran.stdout
    write_events(tmp_path / "b.raw", np.sort(events, order="t"), {"name": "evt3"})
    ran = snn("verify", tmp_path / "b.raw")
    assert ran.exit_code == 0
    cells = rows(ran.stdout)["b.raw"]
    assert cells[:3] == ["1", "2,000", "0.020"]


def test_verify_of_a_file_that_needs_to_be_told_its_format(snn: Snn, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[3, 4, 1, 9], [3, 4, 0, 12]]))
    ran = snn("verify", tmp_path / "a.npy")
    assert ran.exit_code == 1
    assert '{"name": "npy", "columns": "txyp"}' in ran.stdout
    words = ("--format", "npy", "--set", "columns=xypt")
    assert snn("verify", tmp_path / "a.npy", *words).exit_code == 0
    ran = snn("verify", tmp_path / "a.npy", "--set", "columns=xypt")
    assert ran.exit_code == 2
    assert "parameters of a file's format need its name as well: --format NAME" in ran.stderr


def test_verify_of_a_folder_reads_all_its_event_files(snn: Snn, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    (folder / "deeper").mkdir(parents=True)
    good = np.sort(faulty(), order="t")
    for number in range(25):
        write_events(folder / "deeper" / f"{number:02}.dat", good[: 10 + number])
    (folder / "notes.txt").write_text("no events")
    write_events(folder / "empty.npz", good[:0])
    (folder / "cut.bin").write_bytes(bytes(7))
    (folder / "a_bbox.npy").write_bytes(bytes(7))
    (folder / ".snn").mkdir()
    (folder / ".snn" / "events.bin").write_bytes(bytes(7))
    ran = snn("verify", folder)
    assert ran.exit_code == 1
    assert "... and 7 more; 27 in all, 550 events, 2 with faults" in ran.stdout
    assert "empty.npz: 1 recording is empty" in ran.stdout
    assert re.search(r"cut\.bin: 1 recording cannot be read\ncut\.bin: .*cut\.bin", ran.stdout)
    assert "notes.txt" not in ran.stdout
    (tmp_path / "none").mkdir()
    ran = snn("verify", tmp_path / "none")
    assert ran.exit_code == 1
    assert "holds no event files; suffixes of registered formats are .aedat" in ran.stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["verify", "n_mnist", "--format", "bin40"], "--format goes with a file or a folder"),
        (["verify", ".", "--split", "test"], "--root, --split and --protocol go with the name of"),
        (["preview", ".", "--split", "a"], "--root, --split and --protocol go with the name of"),
        (["preview", "."], ". is a folder; name one of its files"),
        (["preview", "digits", "--out", "a.jpg"], "--out expects a file ending in .png; got a.jpg"),
        (["preview", "digits", "--out", "no/a.png"], "there is no folder no; create it, or name"),
        (["prepare", "digits", "--set", "split=a"], "split is no parameter for --set; say --split"),
        (["convert", "no.bin", "a.dat"], "there is no file no.bin"),
        (["import", "no"], "there is no folder no"),
    ],
)
def test_wrong_usage(snn: Snn, words: list[str], text: str) -> None:
    ran = snn(*words)
    assert ran.exit_code == 2
    assert text in ran.stderr
    assert "Traceback" not in ran.stderr


# preview


def test_preview_of_a_dataset(snn: Snn, published: dict[str, bytes], nmnist_root: Path) -> None:
    words = ("--root", nmnist_root, "--split", "test", "--items", 4, "--T", 3)
    ran = snn("preview", "n_mnist", *words)
    assert ran.exit_code == 0, ran.stderr
    assert ran.stdout == "wrote n_mnist_preview.png\nwrote n_mnist_preview.gif\n"
    with Image.open("n_mnist_preview.png") as image:
        # two items beside one another, each a caption and three frames of 68 pixels
        assert image.size == (2 * (96 + 3 * 68) + 9 * 2, 2 * 68 + 3 * 2)
        drawn = np.asarray(image)
    with Image.open("n_mnist_preview.gif") as image:
        assert image.n_frames == 3
        assert image.size == (2 * 68 + 3 * 2, 2 * 68 + 3 * 2)
    events = NMNIST(nmnist_root, split="test").events(0)
    third = (events["t"][-1] - events["t"][0]) // 3
    first = events[events["t"] < events["t"][0] + third]
    cell = drawn[2:70:2, 100:168:2]
    lit = (cell != 24).any(2)
    assert sorted(zip(*np.nonzero(lit.T), strict=True)) == sorted(
        set(zip(first["x"].tolist(), first["y"].tolist(), strict=True))
    )


def test_preview_of_images_is_one_sheet(snn: Snn) -> None:
    ran = snn("preview", "digits", "--out", "d.png", "--items", 10)
    assert ran.stdout == "wrote d.png\n"
    with Image.open("d.png") as image:
        assert image.size == (5 * (96 + 64) + 11 * 2, 2 * 64 + 3 * 2)


def test_preview_of_files(snn: Snn, tmp_path: Path) -> None:
    write_events(tmp_path / "a.npz", np.sort(faulty(), order="t"))
    ran = snn("preview", tmp_path / "a.npz", "--out", tmp_path / "p.png", "--T", 2)
    assert ran.exit_code == 0, ran.stderr
    with Image.open(tmp_path / "p.gif") as image:
        assert image.n_frames == 2
        assert image.size == (20 * 3 + 4, 30 * 3 + 4)
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "s.h5", "w") as file:
        for name, values, kind in (("times", [0.0, 0.5, 1.0], "f2"), ("units", [0, 5, 699], "u2")):
            made = file.create_dataset(f"spikes/{name}", 1, h5py.vlen_dtype(kind))
            made[0] = np.array(values, kind)
    ran = snn("preview", tmp_path / "s.h5", "--T", 2)
    assert ran.exit_code == 0, ran.stderr
    with Image.open("s_preview.png") as image:
        blue = (np.asarray(image) == (60, 150, 255)).all(2)
        assert blue.sum() == 3
    with Image.open("s_preview.gif") as image:
        dots: list[int] = []
        for number in range(2):
            image.seek(number)
            dots.append(int((np.asarray(image.convert("RGB"))[..., 2] > 200).sum()))
        gaps = 2 * 2 * (384 + 140 + 4)
        assert [count - gaps for count in dots] == [2, 3]


def test_preview_of_nothing(snn: Snn, tmp_path: Path) -> None:
    write_events(tmp_path / "a.npz", faulty()[:0])
    ran = snn("preview", tmp_path / "a.npz")
    assert ran.exit_code == 1
    assert "a.npz holds no events; there is nothing to draw" in ran.stderr


def test_preview_without_pillow(snn: Snn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    ran = snn("preview", "digits")
    assert ran.exit_code == 1
    assert 'pip install "snn-datasets[preview]"' in ran.stderr


# convert


def test_convert_keeps_every_event(snn: Snn, tmp_path: Path) -> None:
    events = np.sort(faulty(), order="t")
    write_events(tmp_path / "a.raw", events, {"name": "evt2", "width": 64, "height": 48})
    for name, words in {
        "b.dat": (),
        "c.raw": ("--to", "evt3"),
        "d.csv": (),
        "e.aedat": ("--to", "aedat31"),
        "f.raw": ("--to", "evt3", "--set", "to.width=640", "--set", "to.height=480"),
    }.items():
        ran = snn("convert", tmp_path / "a.raw", name, *words)
        assert ran.exit_code == 0, ran.stderr
        assert f"wrote 2,000 events to {name}, {Path(name).stat().st_size:,} bytes" in ran.stdout
        assert (
            np.sort(read_events(name), order=list("txyp")) == np.sort(events, order=list("txyp"))
        ).all()
    assert sensor_size("c.raw") == (64, 48)
    assert sensor_size("f.raw") == (640, 480)


def test_convert_asks_for_what_it_cannot_know(snn: Snn, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[3, 4, 1, 9], [3, 4, 0, 12]]))
    ran = snn("convert", tmp_path / "a.npy", "b.raw")
    assert ran.exit_code == 2
    assert re.search(r"b\.raw could be .*evt2.*; say which with --to NAME", ran.stderr)
    words = ("--format", "npy", "--set", "format.columns=xypt")
    assert snn("convert", tmp_path / "a.npy", "b.csv", *words).exit_code == 0
    assert read_events("b.csv").tolist() == [(9, 3, 4, 1), (12, 3, 4, 0)]
    (tmp_path / "a.xyz").write_bytes(bytes(10))
    ran = snn("convert", tmp_path / "a.xyz", "c.csv")
    assert ran.exit_code == 2
    assert re.search(
        r"fits no registered format \(known: .*\); say which with --format NAME", ran.stderr
    )


def test_convert_never_loses_what_is_there(snn: Snn, tmp_path: Path) -> None:
    events = np.sort(faulty(), order="t")
    write_events(tmp_path / "a.npz", events)
    Path("b.dat").write_bytes(b"mine")
    ran = snn("convert", tmp_path / "a.npz", "b.dat")
    assert ran.exit_code == 2
    assert "b.dat is there already; add --overwrite to replace it" in ran.stderr
    far = events.copy()
    far["x"] += 3000
    write_events(tmp_path / "far.npz", far)
    ran = snn("convert", tmp_path / "far.npz", "b.raw", "--to", "evt3")
    assert ran.exit_code == 1
    assert "this format holds x from 0 to 2047" in ran.stderr
    assert not Path("b.raw").exists()
    assert Path("b.dat").read_bytes() == b"mine"
    assert snn("convert", tmp_path / "a.npz", "b.dat", "--overwrite").exit_code == 0
    assert (read_events("b.dat") == events).all()
    ran = snn("convert", tmp_path / "a.npz", "a.aedat4")
    assert ran.exit_code == 2
    assert "no registered format writes files named *.aedat4; say which with --to" in ran.stderr
    ran = snn("convert", tmp_path / "a.npz", "c.raw", "--set", "width=3")
    assert ran.exit_code == 2
    assert (
        "--set expects format.KEY=VALUE for IN or to.KEY=VALUE for OUT; got 'width'" in ran.stderr
    )


def test_convert_refuses_what_memory_would_not_hold(
    snn: Snn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "_MOST", 1000)
    write_events(tmp_path / "a.npz", np.sort(faulty(), order="t"))
    ran = snn("convert", tmp_path / "a.npz", "b.dat")
    assert ran.exit_code == 1
    assert "holds more than 1,000 events, which is more than can be written at once" in ran.stderr
    assert not Path("b.dat").exists()


# import


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    pytest.importorskip("snn_datasets.sets.folder")
    folder = tmp_path / "waves"
    good = np.sort(faulty(), order="t")
    for label, count in (("2", 5), ("10", 10)):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            write_events(folder / label / f"{number}.npz", good[: 100 + number])
    return folder


def test_import_counts_and_says_how_to_go_on(snn: Snn, mine: Path, tmp_path: Path) -> None:
    words = ("--set", "sensor_pixels=[20, 30]", "--set", "test_fraction=0.4", "--out", "w.toml")
    ran = snn("import", mine, "--name", "my waves", "--format", "npz", *words)
    assert ran.exit_code == 0, ran.stderr
    found = rows(ran.stdout)
    assert found["2"][:3] == ["3", "2", str(500 + 0 + 1 + 2 + 3 + 4)]
    assert found["10"][:3] == ["6", "4", "1,045"]
    assert list(found).index("2") < list(found).index("10")
    text = Path("w.toml").read_text()
    assert text in ran.stdout
    import tomllib

    table = tomllib.loads(text)["data"]
    assert table == {
        "name": "folder",
        "root": str(mine),
        "sensor_pixels": [20, 30],
        "test_fraction": 0.4,
        "event_format": "npz",
    }
    assert text.startswith("# my waves\n[data]\n")
    made = snncore.build("dataset", table.pop("name"), split="test", **table)
    assert len(made) == 6
    line = next(line for line in ran.stdout.splitlines() if line.startswith("snncore.build"))
    assert len(eval(line, {"snncore": snncore})) == 9
    assert snn("import", mine, *words[:4], "--cache").exit_code == 0
    assert list(mine.glob(".snn/*/complete"))
    ran = snn("import", mine, *words)
    assert ran.exit_code == 2
    assert "--out expects a new .toml file; w.toml is there already" in ran.stderr


def test_import_tells_faults_by_class(snn: Snn, mine: Path) -> None:
    (mine / "10" / "3.npz").write_bytes(b"PK\x03\x04")
    write_events(mine / "2" / "0.npz", faulty()[90:110])
    ran = snn("import", mine, "--set", "sensor_pixels=[20, 30]", "--format", "npz")
    assert ran.exit_code == 1
    assert "2: 1 event is out of order" in ran.stdout
    assert "10: 1 recording cannot be read" in ran.stdout


def test_import_with_parameters_of_the_format(snn: Snn, tmp_path: Path) -> None:
    pytest.importorskip("snn_datasets.sets.folder")
    for label in "ab":
        (tmp_path / "t" / label).mkdir(parents=True)
        for number in range(2):
            array = np.array([[3, 4, 1, 9], [3, 4, 0, 12]])
            np.save(tmp_path / "t" / label / f"{number}.npy", array)
    sets = ("sensor_pixels=[9, 9]", "test_fraction=0.5", "event_format.columns=xypt")
    words = [word for text in sets for word in ("--set", text)]
    ran = snn("import", tmp_path / "t", "--format", "npy", *words)
    assert ran.exit_code == 0, ran.stdout
    assert 'event_format = {name = "npy", columns = "xypt"}' in ran.stdout


def test_import_of_no_recordings(snn: Snn, tmp_path: Path) -> None:
    pytest.importorskip("snn_datasets.sets.folder")
    (tmp_path / "none").mkdir()
    ran = snn("import", tmp_path / "none")
    assert ran.exit_code == 1
    assert "no recordings in" in ran.stderr
