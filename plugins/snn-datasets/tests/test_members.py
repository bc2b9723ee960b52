from __future__ import annotations

import io
import multiprocessing
import pickle
import struct
import sys
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import NMNIST
from snn_datasets.archives import tar_members
from snn_datasets.archives.members import FolderMembers, ZipMembers, open_members
from snn_datasets.archives.rar_members import need_rar
from snn_datasets.archives.tar_members import PackedTarMembers, TarMembers
from snn_datasets.errors import FormatError, MissingExtra

PACKED = {".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}
BODIES = {f"d/{i}.bin": np.random.default_rng(i).bytes(i * 300) for i in range(8)}


@pytest.fixture(autouse=True)
def notices_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SNN_CACHE", str(tmp_path / "user cache"))
    tar_members._slow.cache_clear()


def make_tar(path: Path, mode: str = "w", bodies: dict[str, bytes] = BODIES) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        folder = tarfile.TarInfo("./d")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, body in {"readme.txt": b"text", **bodies}.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return path


@pytest.mark.parametrize(("ending", "mode"), [(".tar", "w"), *PACKED.items()])
def test_members_of_a_tar_are_its_files(tmp_path: Path, ending: str, mode: str) -> None:
    path = make_tar(tmp_path / f"a{ending}", mode)
    for _ in range(2):  # the second time from the kept index
        members = pickle.loads(pickle.dumps(open_members(path, suffix=".bin")))
        assert isinstance(members, TarMembers if ending == ".tar" else PackedTarMembers)
        assert {name: members.read(i) for i, name in enumerate(members.names)} == BODIES
        assert members.read(7) == members.read(7)


def test_a_packed_tar_is_read_whole_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_tar(tmp_path / "a.tar.gz", "w:gz")
    names = PackedTarMembers(path).names
    index = tar_members._index
    monkeypatch.setattr(tar_members, "_index", None)
    assert PackedTarMembers(path).names == names
    assert "readme.txt" in names
    # Another archive of this name is indexed anew.
    monkeypatch.setattr(tar_members, "_index", index)
    make_tar(path, "w:gz", {"other.bin": b"12"})
    members = PackedTarMembers(path, suffix=".bin")
    assert members.names == ("other.bin",)
    assert members.read(0) == b"12"


def test_items_out_of_order_give_one_notice(tmp_path: Path) -> None:
    members = PackedTarMembers(make_tar(tmp_path / "a.tgz", "w:gz"), suffix=".bin")
    for i in range(8):  # in order, and each as often as one likes, there is none
        assert members.read(i) == members.read(i) == BODIES[members.names[i]]
    with pytest.warns(UserWarning, match=r"a\.tgz can only be unpacked .* Call prepare\(\)") as got:
        assert [members.read(i) for i in (3, 1, 6, 0)] == [
            BODIES[f"d/{i}.bin"] for i in (3, 1, 6, 0)
        ]
    assert len(got) == 1


def test_processes_do_not_move_each_other(tmp_path: Path) -> None:
    members = PackedTarMembers(make_tar(tmp_path / "a.tgz", "w:gz"), suffix=".bin")
    assert members.read(2) == BODIES["d/2.bin"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.map(members.read, [3, 7]) == [BODIES["d/3.bin"], BODIES["d/7.bin"]]
    assert members.read(4) == BODIES["d/4.bin"]


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tar.xz"])
def test_a_cut_tar_is_refused(tmp_path: Path, ending: str) -> None:
    path = make_tar(tmp_path / f"a{ending}", PACKED.get(ending, "w"))
    data = path.read_bytes()
    lengths = {0, 1, 511, 513, len(data) // 3, len(data) // 2}
    if ending != ".tar":
        lengths.add(len(data) - 9)
    for length in lengths:
        path.write_bytes(data[:length])
        with pytest.raises(
            FormatError, match=r"a\.tar.* is no readable tar file \(.*Delete it and"
        ):
            open_members(path)


def test_a_tar_cut_between_members_is_refused(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar")
    with tarfile.open(path) as archive:
        end = archive.getmembers()[5].offset
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(
        FormatError, match=f"what lies before byte {end} is neither a member nor the"
    ):
        TarMembers(path)


def test_a_damaged_header_hides_no_members(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar")
    with tarfile.open(path) as archive:
        place = archive.getmembers()[5].offset
    data = bytearray(path.read_bytes())
    data[place + 150] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(FormatError, match="is no readable tar file"):
        TarMembers(path)


def test_a_tar_cut_while_in_use_is_noticed(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar")
    members = TarMembers(path, suffix="7.bin")
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(FormatError, match=r"a\.tar, member d/7\.bin: the archive ends within it"):
        members.read(0)


def test_damage_of_a_packed_tar_in_use_is_noticed(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar.gz", "w:gz")
    members = PackedTarMembers(path, suffix="7.bin")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FormatError, match=r"a\.tar\.gz is no readable tar file"):
        members.read(0)


def test_a_page_named_tar_is_refused(tmp_path: Path) -> None:
    for name in ("a.tar", "a.tar.gz"):
        (tmp_path / name).write_text("<html>log in</html>" * 99)
        with pytest.raises(
            FormatError, match=rf"{name} is no readable tar file .* a saved web page"
        ):
            open_members(tmp_path / name)


@pytest.mark.parametrize("type", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_are_refused(tmp_path: Path, type: bytes) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("b.bin")
        info.type, info.linkname = type, "../secret"
        archive.addfile(info)
    with pytest.raises(FormatError, match=r"a\.tar, member b\.bin is no plain file but a link"):
        open_members(tmp_path / "a.tar")
    assert open_members(tmp_path / "a.tar", suffix=".txt").names == ()


@pytest.mark.parametrize(
    "name", ["../a.bin", "/etc/a.bin", "b/../../a.bin", "..\\a.bin", "C:/a.bin"]
)
def test_names_that_point_outside_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, "x")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    for file in ("a.zip", "a.tar"):
        with pytest.raises(FormatError, match="which points outside of it; it is not used"):
            open_members(tmp_path / file)


def test_what_systems_leave_behind_is_no_member(tmp_path: Path) -> None:
    debris = ["__MACOSX/d/._a.bin", "d/._a.bin", ".git/a.bin", ".snn/a/events.bin"]
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ["./d/a.bin", *debris]:
            archive.writestr(name, name)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
    for members in (ZipMembers(tmp_path / "a.zip"), FolderMembers(folder)):
        assert members.names == ("d/a.bin",)
        assert members.read(0) == b"./d/a.bin"


def test_an_encrypted_member_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.bin", "0123")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"a\.bin: it is encrypted; unpack the archive with its"):
        ZipMembers(path).read(0)


def _rar_block(kind: int, flags: int, body: bytes, size: int = 0) -> bytes:
    rest = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
    return struct.pack("<H", zlib.crc32(rest) & 0xFFFF) + rest


def make_rar(path: Path, bodies: dict[str, bytes]) -> Path:
    """Stored members, as version 3 of the format has them."""
    data = b"Rar!\x1a\x07\x00" + _rar_block(0x73, 0, bytes(6))
    for name, body in bodies.items():
        head = struct.pack(
            *("<IIBIIBBHI", len(body), len(body), 3, zlib.crc32(body), 0x5A210000, 29, 0x30),
            *(len(name), 0o100644),
        )
        data += _rar_block(0x74, 0x8000, head + name.encode()) + body
    path.write_bytes(data + _rar_block(0x7B, 0x4000, b""))
    return path


@pytest.fixture
def rarfile(monkeypatch: pytest.MonkeyPatch) -> Any:
    module = pytest.importorskip("rarfile")
    # Stored members need no program, which a test machine need not have.
    monkeypatch.setattr(module, "tool_setup", lambda *a, **k: None)
    return module


@pytest.mark.usefixtures("rarfile")
def test_members_of_a_rar_are_its_files(tmp_path: Path) -> None:
    path = make_rar(tmp_path / "a.rar", {"readme.txt": b"text", **BODIES})
    members = pickle.loads(pickle.dumps(open_members(path, suffix=".bin")))
    assert {name: members.read(i) for i, name in enumerate(members.names)} == BODIES
    again = pickle.loads(pickle.dumps(members))
    assert again.read(3) == BODIES["d/3.bin"]


@pytest.mark.usefixtures("rarfile")
def test_a_damaged_rar_is_named(tmp_path: Path) -> None:
    path = make_rar(tmp_path / "a.rar", {"a.bin": b"0123456789"})
    data = bytearray(path.read_bytes())
    data[data.index(b"0123")] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"a\.rar, member a\.bin: it cannot be unpacked"):
        open_members(path).read(0)
    path.write_text("<html>log in</html>")
    with pytest.raises(FormatError, match=r"a\.rar is no readable rar archive .* a saved web page"):
        open_members(path)


def test_rar_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rarfile", None)
    with pytest.raises(
        MissingExtra, match=r'rar archives need .* pip install "snn-datasets\[rar\]'
    ):
        need_rar()


def test_rar_says_which_program_to_install(rarfile: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise rarfile.RarCannotExec("Cannot find working tool")

    monkeypatch.setattr(rarfile, "tool_setup", none)
    with pytest.raises(
        MissingExtra, match=r"need a program that unpacks them, .* install unrar, una"
    ):
        need_rar()


def test_the_index_of_a_packed_tar_needs_no_writable_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tar_members, "writable", lambda folder: None)
    path = make_tar(tmp_path / "a.tgz", "w:gz")
    assert PackedTarMembers(path).names == PackedTarMembers(path).names
    assert not (tmp_path / ".snn").exists()


class InRar(NMNIST):
    def find(self) -> Any:
        return self.open("train.rar")


def test_rar_is_asked_for_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rarfile", None)
    with pytest.raises(MissingExtra, match="rar archives need the package rarfile"):
        InRar(tmp_path, download=True)
