"""`snn cache info` and `snn cache clear`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def place(monkeypatch, tmp_path, install):
    """The folder of kernels in a cache of this test's own."""
    install()
    monkeypatch.setenv("SNN_CACHE", str(tmp_path))
    made = tmp_path / "kernels"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def filled(place):
    (place / "a.so").write_bytes(b"x" * 1000)
    (place / "b.so").write_bytes(b"x" * 2048)
    (place / "c.plan").write_bytes(b"x" * 24)
    return place


def lines(output: str) -> list[list[str]]:
    return [line.split(maxsplit=1) for line in output.splitlines()]


def test_info_shows_folder_number_and_size(filled, snn):
    result = snn("cache", "info")
    assert result.exit_code == 0
    assert lines(result.output) == [
        ["folder", str(filled)],
        ["kernels", "2"],
        ["plans", "1"],
        ["size", "3.0 KiB"],
    ]


def test_info_as_json(filled, snn):
    assert json.loads(snn("cache", "info", "--json").stdout) == {
        "schema": 1,
        "folder": str(filled),
        "kernels": 2,
        "plans": 1,
        "bytes": 3072,
    }


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 19, "1.5 MiB")]
)
def test_sizes_are_readable(place, snn, size, shown):
    with (place / "a.so").open("wb") as file:
        file.truncate(size)
    assert lines(snn("cache", "info").output)[-1] == ["size", shown]


def test_info_of_a_cache_that_is_not_there_yet(monkeypatch, tmp_path, install, snn):
    install()
    monkeypatch.setenv("SNN_CACHE", str(tmp_path / "new"))
    result = snn("cache", "info")
    assert result.exit_code == 0
    assert lines(result.output)[1:] == [["kernels", "0"], ["plans", "0"], ["size", "0 B"]]


def test_clear_removes_what_is_compiled_and_nothing_beside(filled, snn):
    beside = filled.parent / "other.txt"
    beside.write_text("kept")
    result = snn("cache", "clear")
    assert result.exit_code == 0
    assert result.output.strip() == f"removed 2 kernels and 1 plan (3.0 KiB) from {filled}"
    assert list(filled.iterdir()) == []
    assert beside.read_text() == "kept"
    again = snn("cache", "clear").output.strip()
    assert again == f"removed 0 kernels and 0 plans (0 B) from {filled}"


def test_clear_counts_one_kernel_in_the_singular(place, snn):
    (place / "a.so").write_bytes(b"x")
    assert "removed 1 kernel and 0 plans (1 B)" in snn("cache", "clear").output


def test_clear_leaves_running_compilations_and_removes_abandoned_ones(place, snn):
    running, dead = place / "tmprunning", place / "tmpdead"
    for work in (running, dead):
        work.mkdir()
        (work / "kernel.cpp").write_text("int x;")
    os.utime(dead, (0, 0))
    assert snn("cache", "clear").exit_code == 0
    assert list(place.iterdir()) == [running]
    assert (running / "kernel.cpp").exists()


def test_a_file_that_cannot_be_removed_is_named(filled, snn, monkeypatch):
    def refuse(path, missing_ok=False):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    result = snn("cache", "clear")
    assert result.exit_code == 1
    assert (
        f"cannot remove {filled / 'a.so'}: Permission denied; "
        f"remove the folder {filled} by hand" in result.stderr
    )


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners and modes are those of POSIX")
@pytest.mark.parametrize("word", ["info", "clear"])
def test_a_cache_that_others_may_write_is_not_touched(filled, snn, word):
    filled.chmod(0o777)
    result = snn("cache", word)
    assert result.exit_code == 1
    assert "belongs to another user or is writable by others" in result.stderr
    assert len(list(filled.iterdir())) == 3


def test_a_cache_that_cannot_be_made_is_named(monkeypatch, tmp_path, install, snn):
    install()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SNN_CACHE", str(tmp_path / "file"))
    result = snn("cache", "info")
    assert result.exit_code == 1
    assert f"cannot open the kernel cache {tmp_path / 'file' / 'kernels'}: " in result.stderr
    assert "set SNN_CACHE to a folder that you may write to" in result.stderr


@pytest.mark.parametrize("words", [["cache"], ["cache", "shrink"], ["cache", "info", "all"]])
def test_wrong_words(place, snn, words):
    assert snn(*words).exit_code == 2


def test_the_command_imports_no_torch(place):
    probe = (
        "import sys\nfrom snncore.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "print('torch' in sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", probe, "cache", "info"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "False"
