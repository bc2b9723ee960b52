"""Datasets whose labels are names of folders and files: which items there are, in which order."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import (
    ASLDVS,
    NCARS,
    Bullying10K,
    DVSLip,
    FormatError,
    MissingData,
    NCaltech101,
)
from snn_datasets.splits import stratified

quiet = pytest.mark.filterwarnings("ignore:.*is not the published file")


@quiet
def test_n_caltech101_has_a_fifth_of_each_class_in_test(layouts: Any, tmp_path: Path) -> None:
    root = layouts.n_caltech101(tmp_path)
    train, test = NCaltech101(root), NCaltech101(root, split="test")
    assert train.classes == ("Faces_easy", "ant")
    expected = [f"Caltech101/{c}/image_{i:04d}.bin" for c in train.classes for i in range(1, 11)]
    mask = stratified([0] * 10 + [1] * 10, 0.2, seed=0)
    assert test.recordings.paths() == [n for n, m in zip(expected, mask, strict=True) if m]
    assert train.recordings.paths() == [n for n, m in zip(expected, mask, strict=True) if not m]
    assert test.targets.tolist() == [0, 0, 1, 1]


@quiet
def test_markers_of_time_are_no_events(layouts: Any, tmp_path: Path) -> None:
    rows = [bytes([239, 179, 0x80, 0, 5]), bytes([0, 240, 0, 0, 0]), bytes([3, 4, 0, 0, 7])]
    layouts.zipped(tmp_path / "Caltech101.zip", [("ant/image_0001.bin", b"".join(rows))])
    events = NCaltech101(tmp_path).events(0)
    assert events.tolist() == [(5, 239, 179, 1), (7 + 8192, 3, 4, 0)]


def test_other_numbers_of_classes_are_noticed(layouts: Any, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="holds recordings of 2 classes, the official one 101"):
        NCaltech101(layouts.n_caltech101(tmp_path / "a"))
    with pytest.warns(UserWarning, match="holds recordings of 3 words, the official one 100"):
        DVSLip(layouts.dvs_lip(tmp_path / "b"))


@quiet
def test_annotations_are_no_recordings(layouts: Any, tmp_path: Path) -> None:
    layouts.n_caltech101(tmp_path)
    folder = tmp_path / "Caltech101_annotations" / "ant"
    folder.mkdir(parents=True)
    (folder / "annotation_0001.bin").write_bytes(b"12345")
    assert len(NCaltech101(tmp_path)) == 16


def test_asl_dvs_labels_are_letters_without_j_and_z(layouts: Any, tmp_path: Path) -> None:
    root = layouts.asl_dvs(tmp_path)
    test = ASLDVS(root, split="test")
    assert len(test.classes) == 24
    assert not {"j", "z"} & set(test.classes)
    assert [test.classes[label] for label in test.targets] == ["a", "c", "y"]
    assert len(ASLDVS(root)) == 12


def test_n_cars_labels_and_splits_are_folders(layouts: Any, tmp_path: Path) -> None:
    train = NCARS(layouts.n_cars(tmp_path))
    assert train.targets.tolist() == [0] * 4 + [1] * 4
    assert train.classes == ("background", "cars")
    assert all("/n-cars_train/" in path for path in train.recordings.paths())


@pytest.mark.parametrize("inner", [True, False])
def test_n_cars_may_be_unpacked_in_part_or_whole(layouts: Any, tmp_path: Path, inner: bool) -> None:
    layouts.n_cars(tmp_path)
    whole = NCARS(tmp_path, split="test")
    expected = [whole.events(i) for i in range(len(whole))]
    archive = tmp_path / "Prophesee_Dataset_n_cars.zip"
    with zipfile.ZipFile(archive) as packed:
        if inner:
            for split in ("train", "test"):
                part = f"Prophesee_Dataset_n_cars/n-cars_{split}/"
                names = [n for n in packed.namelist() if n.startswith(part)]
                rows = [
                    (n.removeprefix("Prophesee_Dataset_n_cars/"), packed.read(n)) for n in names
                ]
                layouts.zipped(tmp_path / f"n-cars_{split}.zip", rows)
        else:
            packed.extractall(tmp_path)
    archive.unlink()
    parts = NCARS(tmp_path, split="test")
    assert all(np.array_equal(parts.events(i), e) for i, e in enumerate(expected))


@quiet
def test_dvs_lip_labels_are_words_by_the_alphabet(layouts: Any, tmp_path: Path) -> None:
    test = DVSLip(layouts.dvs_lip(tmp_path), split="test")
    assert test.classes == ("about", "billion", "young")
    assert test.targets.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert test.recordings.path(4) == "DVS-Lip/test/billion/1.npy"


def test_every_fifth_of_the_sorted_files_of_bullying10k_is_test(
    layouts: Any, tmp_path: Path
) -> None:
    root = layouts.bullying10k(tmp_path)
    train, test = Bullying10K(root), Bullying10K(root, split="test")
    names = sorted(f"{name}/scene{i}/{i}.npy" for name in layouts.bullying for i in range(3))
    assert test.recordings.paths() == names[::5]
    assert train.recordings.paths() == [name for i, name in enumerate(names) if i % 5]
    for i, path in enumerate(train.recordings.paths()):
        assert train.classes[train.targets[i]] == path.split("/")[0]
    assert train.classes[0] == "handshake"


def test_unpacking_changes_no_split_of_bullying10k(layouts: Any, tmp_path: Path) -> None:
    packed = Bullying10K(layouts.bullying10k(tmp_path), split="test")
    expected = packed.recordings.paths()
    for name in ("walking", "greeting", "handshake"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as archive:
            archive.extractall(tmp_path)
        (tmp_path / f"{name}.zip").unlink()
    assert Bullying10K(tmp_path, split="test").recordings.paths() == expected


def test_hostile_files_of_bullying10k_are_refused(
    layouts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return exec, ("import sys; sys.modules['snn_was_here'] = sys",)

    layouts.bullying10k(tmp_path, count=1)
    body = layouts.pickled([[Hostile()]])  # type: ignore[list-item]
    rows = [("fingerguess/0.npy", body)]
    layouts.zipped(tmp_path / "fingerguess.zip", rows)
    with pytest.raises(FormatError, match=r"it names (builtins|__builtin__)\.exec, which is not"):
        Bullying10K(tmp_path, split="test").events(0)
    import sys

    assert "snn_was_here" not in sys.modules


def test_zip_files_within_a_zip_file_have_to_be_unpacked(layouts: Any, tmp_path: Path) -> None:
    layouts.asl_dvs(tmp_path / "in")
    rows = [(path.name, path.read_bytes()) for path in sorted((tmp_path / "in").iterdir())]
    outer = layouts.zipped(tmp_path / "ICCV2019_DVS_dataset.zip", rows)
    for path in (tmp_path / "in").iterdir():
        path.unlink()
    text = rf"{outer} holds 3 zip files \(a\.zip \.\.\.\), which cannot be read in place; unpack it"
    with pytest.raises(FormatError, match=text):
        ASLDVS(tmp_path)


@pytest.mark.parametrize(
    ("dataset", "text"),
    [
        (NCaltech101, r"N-Caltech101: Caltech101\.zip is missing"),
        (ASLDVS, r"ASL-DVS: ICCV2019_DVS_dataset\.zip is missing"),
        (NCARS, r"N-CARS: Prophesee_Dataset_n_cars\.zip is missing"),
        (DVSLip, r"DVS-Lip: DVS-Lip\.zip is missing"),
        (Bullying10K, r"Bullying10K: handshake\.zip, slapping\.zip, .*, kicking\.zip are missing"),
    ],
)
def test_what_is_missing_is_named(dataset: Any, text: str, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=text):
        dataset(tmp_path)


@pytest.mark.parametrize(
    ("dataset", "file", "text"),
    [
        (NCaltech101, "Caltech101.zip", r"named Caltech101/<class>/image_<number>\.bin"),
        (NCARS, "Prophesee_Dataset_n_cars.zip", r"n-cars_train/<class>/obj_<number>_td\.dat"),
        (DVSLip, "DVS-Lip.zip", r"members named train/<word>/<number>\.npy"),
        (ASLDVS, "ICCV2019_DVS_dataset.zip", r"files named <letter>_<number>\.mat"),
    ],
)
@quiet
def test_archives_of_something_else_are_refused(
    layouts: Any, dataset: Any, file: str, text: str, tmp_path: Path
) -> None:
    layouts.zipped(tmp_path / file, [("readme.txt", b"nothing")])
    with pytest.raises(FormatError, match=text):
        dataset(tmp_path)


def test_the_real_files_of_asl_dvs(shared: Path, tmp_path: Path) -> None:
    scipy = pytest.importorskip("scipy.io")
    source = shared / "layout_fixtures" / "asldvs_a_0001.mat"
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a_0001.mat").symlink_to(source)
    events, raw = ASLDVS(tmp_path).events(0), scipy.loadmat(source)
    np.testing.assert_array_equal(events["t"], raw["ts"].ravel())
    np.testing.assert_array_equal(events["x"], raw["x"].ravel())
    np.testing.assert_array_equal(events["y"], 179 - raw["y"].astype(int).ravel())
    np.testing.assert_array_equal(events["p"], raw["pol"].ravel() > 0)


def test_the_real_file_of_n_cars(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "n-cars_test" / "cars").mkdir(parents=True)
    path = tmp_path / "n-cars_test" / "cars" / "obj_000000_td.dat"
    path.symlink_to(shared / "dat" / "tonic_sample_ncars.dat")
    test = NCARS(tmp_path, split="test")
    assert test.targets.tolist() == [1]
    assert int(test[0][0].sum()) == 2009


@quiet
def test_the_real_file_of_dvs_lip(shared: Path, tmp_path: Path) -> None:
    source = shared / "layout_fixtures" / "dvslip_0.npy"
    (tmp_path / "train" / "accused").mkdir(parents=True)
    (tmp_path / "train" / "accused" / "0.npy").symlink_to(source)
    events, raw = DVSLip(tmp_path).events(0), np.load(source)
    for field in "txyp":
        np.testing.assert_array_equal(events[field], raw[field])


def test_the_real_file_of_bullying10k(shared: Path, layouts: Any, tmp_path: Path) -> None:
    source = shared / "layout_fixtures" / "bullying10k_sample.npy"
    for name in layouts.bullying:
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.npy").symlink_to(source)
    test = Bullying10K(tmp_path, split="test")
    assert test.recordings.paths() == ["fingerguess/0.npy", "punching/0.npy"]
    # The file is a list of lists, so that what follows is what its maker put in.
    rows = [row for part in np.load(source, allow_pickle=True) for row in part]
    assert test.events(0).tolist() == [tuple(int(v) for v in row) for row in rows]
