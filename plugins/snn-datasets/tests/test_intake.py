from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from snn_datasets import Archive, DownloadError, FormatError, Info, MissingData
from snn_datasets.getting import space
from snn_datasets.getting.intake import import_files

FIRST, SECOND = b"first" * 5000, b"second" * 4000


def info(*archives: Archive) -> Info:
    return Info("tiny", "Tiny", "CC0", "nobody", "https://example.org", "44 kB", {}, archives)


def archive(file: str, body: bytes, *, size: bool = True, md5: bool = True) -> Archive:
    return Archive(
        file,
        bytes=len(body) if size else None,
        md5=hashlib.md5(body).hexdigest() if md5 else None,
        access="manual",
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "Downloads"
    folder.mkdir()
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "data" / "tiny"


TWO = info(archive("first.zip", FIRST), archive("second.zip", SECOND))


def test_files_are_found_by_name_in_any_folder_below(source: Path, target: Path) -> None:
    (source / "deeper").mkdir()
    (source / "deeper" / "first.zip").write_bytes(FIRST)
    (source / "Second.ZIP").write_bytes(SECOND)
    paths = import_files(TWO, source, target)
    assert paths == [target / "first.zip", target / "second.zip"]
    assert [path.read_bytes() for path in paths] == [FIRST, SECOND]
    assert (source / "deeper" / "first.zip").exists()
    assert sorted(p.name for p in target.iterdir() if not p.name.endswith(".lock")) == [
        "first.zip",
        "second.zip",
    ]


def test_a_link_takes_no_room_and_another_disk_gets_a_copy(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "first.zip").write_bytes(FIRST)
    (source / "second.zip").write_bytes(SECOND)
    (linked,) = import_files(TWO, source, target, ["first.zip"])
    assert linked.samefile(source / "first.zip")

    def link(*_: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", link)
    (copied,) = import_files(TWO, source, target, ["second.zip"])
    assert not copied.samefile(source / "second.zip")
    assert copied.read_bytes() == SECOND
    monkeypatch.setattr(space.shutil, "disk_usage", lambda path: type("U", (), {"free": 1000}))
    copied.unlink()
    with pytest.raises(DownloadError, match=r"has 1\.0 kB free, second\.zip needs 24\.0 kB\. Free"):
        import_files(TWO, source, target, ["second.zip"])
    assert not list(target.glob("*second.zip*.part"))


@pytest.mark.parametrize("size", [True, False])
def test_renamed_files_are_found_by_what_they_hold(source: Path, target: Path, size: bool) -> None:
    (source / "first (1).zip").write_bytes(FIRST)
    (source / "file_downloaded").write_bytes(SECOND)
    (source / "same_size.zip").write_bytes(bytes(len(FIRST)))
    (source / "first.zip").write_bytes(b"an older version")
    wanted = info(archive("first.zip", FIRST, size=size), archive("second.zip", SECOND, size=size))
    paths = import_files(wanted, source, target)
    assert [path.read_bytes() for path in paths] == [FIRST, SECOND]


def test_archives_within_a_zip_file(source: Path, target: Path) -> None:
    outer = source / "all-files.zip"
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("data/", "")
        packed.writestr("data/first.zip", FIRST)
        packed.writestr("../../download?id=7", SECOND)
    paths = import_files(TWO, outer, target)
    assert [path.read_bytes() for path in paths] == [FIRST, SECOND]
    assert {path.parent for path in paths} == {target}


def test_a_zip_file_may_be_the_archive_itself(source: Path, target: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as inner:
        inner.writestr("0/1.bin", b"12345")
    body = packed.getvalue()
    (source / "saved.zip").write_bytes(body)
    paths = import_files(info(archive("Train.zip", body)), source / "saved.zip", target)
    assert [path.read_bytes() for path in paths] == [body]


def test_any_other_archive_may_be_named_too(source: Path, target: Path) -> None:
    (source / "a.tar.gz").write_bytes(FIRST)
    (path,) = import_files(info(archive("a.tar.gz", FIRST)), source / "a.tar.gz", target)
    assert path.read_bytes() == FIRST


def test_what_is_there_already_is_kept(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    (target / "first.zip").write_bytes(b"mine")
    (source / "first.zip").write_bytes(FIRST)
    (source / "second.zip").write_bytes(SECOND)
    paths = import_files(TWO, source, target)
    assert [path.read_bytes() for path in paths] == [b"mine", SECOND]
    assert import_files(TWO, source, target) == paths


def test_a_part_of_the_files_is_better_than_none(source: Path, target: Path) -> None:
    (source / "second.zip").write_bytes(SECOND)
    assert import_files(TWO, source, target) == [target / "second.zip"]
    with pytest.raises(MissingData, match=r"holds none of the missing files of Tiny: first\.zip"):
        import_files(TWO, source, target)


PAGE = b"<!DOCTYPE html><html>Please log in</html>"


@pytest.mark.parametrize(
    ("body", "wanted", "fault"),
    [
        (FIRST[:-1], archive("a.zip", FIRST), "it has 24999 bytes, the published file has 25000"),
        (bytes(25000), archive("a.zip", FIRST), "its md5 is .*, that of the published file is "),
        (PAGE, Archive("a.zip"), r"it is a web page \(a login or a moved file\?\)"),
        (b"", Archive("a.zip"), "it is empty"),
    ],
)
def test_a_file_that_has_the_name_alone_is_refused(
    source: Path, target: Path, body: bytes, wanted: Archive, fault: str
) -> None:
    (source / "a.zip").write_bytes(body)
    name = re.escape(str(source / "a.zip"))
    hint = re.escape(f"Get it again, or put it into {target} yourself to use it as it is")
    with pytest.raises(
        FormatError, match=rf"{name} has the name of a\.zip, but {fault}.*\. {hint}"
    ):
        import_files(info(wanted), source, target)
    assert not (target / "a.zip").exists()


def test_a_damaged_member_is_refused(source: Path, target: Path) -> None:
    outer = source / "all.zip"
    with zipfile.ZipFile(outer, "w") as packed:
        packed.writestr("first.zip", FIRST)
    damaged = bytearray(outer.read_bytes())
    damaged[2000] ^= 1
    outer.write_bytes(damaged)
    with pytest.raises(
        FormatError, match=r"member first\.zip has the name.*it cannot be read \(Ba"
    ):
        import_files(TWO, outer, target)


def test_a_source_that_is_not_there(target: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"there is no .*nowhere to take the files of Tiny from"):
        import_files(TWO, tmp_path / "nowhere", target)
