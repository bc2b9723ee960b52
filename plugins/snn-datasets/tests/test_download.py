from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from snn_datasets import Archive, DownloadError, Info, MissingData, fetch
from snn_datasets.getting import space
from snn_datasets.place import obtain

BODY = bytes(range(256)) * 4096


def archive(*urls: str, size: int | None = len(BODY), body: bytes = BODY) -> Archive:
    return Archive(
        "data.zip",
        urls,
        bytes=size,
        md5=hashlib.md5(body).hexdigest(),
        sha256=hashlib.sha256(body).hexdigest(),
    )


@pytest.fixture
def naps(tmp_path: Path) -> list[float]:
    return []


def test_a_file_arrives_whole_and_is_not_fetched_twice(
    server: Any, answer: Any, tmp_path: Path
) -> None:
    wanted = archive(server.url("/a", answer(BODY)))
    folder = tmp_path / "new" / "folder"
    path = fetch(wanted, folder)
    assert path == folder / "data.zip"
    assert path.read_bytes() == BODY
    assert fetch(wanted, folder) == path
    assert server.requests == [("/a", None)]
    assert not path.with_name("data.zip.part").exists()


def test_a_download_resumes_what_an_earlier_run_left(
    server: Any, answer: Any, tmp_path: Path
) -> None:
    (tmp_path / "data.zip.part").write_bytes(BODY[:1000])
    path = fetch(archive(server.url("/a", answer(BODY))), tmp_path)
    assert path.read_bytes() == BODY
    assert server.requests == [("/a", "bytes=1000-")]


def test_a_stalled_transfer_is_given_up_and_resumed(
    server: Any, answer: Any, tmp_path: Path, naps: list[float]
) -> None:
    hold = threading.Event()
    stalls = [answer(BODY, cut=n, sent=threading.Event(), hold=hold) for n in (300_001, 5)]
    url = server.url("/a", *stalls, answer(BODY))
    path = fetch(archive(url), tmp_path, timeout=0.15, sleep=naps.append)
    hold.set()
    assert path.read_bytes() == BODY
    # of what had come before the stall all is kept but the head of 512 bytes
    assert [wanted for _, wanted in server.requests] == [None, "bytes=300001-", "bytes=300001-"]
    assert naps == [1.0, 1.0]


def test_a_mirror_that_only_stalls_is_left_for_the_next(
    server: Any, answer: Any, tmp_path: Path, naps: list[float]
) -> None:
    hold = threading.Event()
    dead = server.url("/dead", answer(BODY, cut=0, sent=threading.Event(), hold=hold))
    with pytest.raises(DownloadError, match=r"/dead: no byte came for 0\.1 s \(2 tries without"):
        fetch(archive(dead), tmp_path, attempts=2, timeout=0.1, sleep=naps.append)
    good = server.url("/good", answer(BODY))
    path = fetch(archive(dead, good), tmp_path, attempts=1, timeout=0.1, sleep=naps.append)
    hold.set()
    assert path.read_bytes() == BODY


def test_a_second_mirror_goes_on_where_the_first_broke_off(
    server: Any, answer: Any, tmp_path: Path, naps: list[float]
) -> None:
    first = server.url("/first", answer(BODY, cut=400_000), answer(status=404))
    path = fetch(archive(first, server.url("/b", answer(BODY))), tmp_path, sleep=naps.append)
    assert path.read_bytes() == BODY
    assert server.requests[-1] == ("/b", "bytes=400000-")


@pytest.mark.parametrize("size", [None, len(BODY)])
def test_a_wrong_checksum_is_thrown_away_and_the_second_mirror_tried(
    server: Any, answer: Any, tmp_path: Path, size: int | None
) -> None:
    wrong = server.url("/wrong", answer(bytes(reversed(BODY))))
    path = fetch(archive(wrong, server.url("/b", answer(BODY)), size=size), tmp_path)
    assert path.read_bytes() == BODY
    assert server.requests == [("/wrong", None), ("/b", None)]


@pytest.mark.parametrize("size", [None, len(BODY)])
def test_a_broken_connection_is_resumed(
    server: Any, answer: Any, tmp_path: Path, naps: list[float], size: int | None
) -> None:
    url = server.url("/a", answer(BODY, cut=300_000), answer(BODY, cut=300_000), answer(BODY))
    path = fetch(archive(url, size=size), tmp_path, sleep=naps.append)
    assert path.read_bytes() == BODY
    assert [wanted for _, wanted in server.requests] == [None, "bytes=300000-", "bytes=600000-"]
    assert naps == [1.0, 1.0]


def test_a_server_without_ranges_starts_over(server: Any, answer: Any, tmp_path: Path) -> None:
    (tmp_path / "data.zip.part").write_bytes(BODY[:1000])
    path = fetch(archive(server.url("/a", answer(BODY, ranges=False))), tmp_path)
    assert path.read_bytes() == BODY


def test_a_complete_part_needs_no_server(tmp_path: Path) -> None:
    (tmp_path / "data.zip.part").write_bytes(BODY)
    assert fetch(archive("http://127.0.0.1:9/a"), tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("left", [BODY, b"x" * len(BODY), b"x" * 10, b"x" * (len(BODY) + 5)])
def test_whatever_was_left_the_result_is_right(
    server: Any, answer: Any, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "data.zip.part").write_bytes(left)
    path = fetch(archive(server.url("/a", answer(BODY)), size=None), tmp_path)
    assert path.read_bytes() == BODY


def test_busy_servers_are_asked_again_after_growing_pauses(
    server: Any, answer: Any, tmp_path: Path, naps: list[float]
) -> None:
    busy = [answer(status=503), answer(status=429), answer(BODY, cut=0)]
    path = fetch(archive(server.url("/a", *busy, answer(BODY))), tmp_path, sleep=naps.append)
    assert path.read_bytes() == BODY
    assert naps == [1.0, 2.0, 4.0]


PAGE = b"\n  <!DOCTYPE html><html><body>Please log in</body></html>"


def test_mirrors_are_tried_in_order_and_each_reason_is_told(
    server: Any, answer: Any, tmp_path: Path, naps: list[float]
) -> None:
    wrong = bytes(reversed(BODY))
    urls = [
        server.url("/gone", answer(status=404)),
        server.url("/page", answer(PAGE, type="application/zip", length=False)),
        server.url("/login", answer(b"hello", type="text/html; charset=utf-8", length=False)),
        server.url("/empty", answer(b"", status=202)),
        server.url("/short", answer(BODY[:-7])),
        server.url("/wrong", answer(wrong)),
        server.url("/cut", answer(BODY, cut=0)),
    ]
    with pytest.raises(DownloadError) as caught:
        fetch(archive(*urls), tmp_path, attempts=2, sleep=naps.append)
    first, *lines = str(caught.value).splitlines()
    assert first == "data.zip could not be downloaded."
    page = "the answer is a web page instead of the file (a login or a moved file?)"
    md5, wrong_md5 = hashlib.md5(BODY).hexdigest(), hashlib.md5(wrong).hexdigest()
    expected = [
        "HTTP 404 Not Found",
        page,
        page,
        "the answer is empty (HTTP 202)",
        "offers 1048569 bytes, expected 1048576",
        f"its md5 is {wrong_md5}, that of the published file is {md5}",
        "the connection ended before the first of 1048576 bytes (2 tries without a new byte)",
    ]
    assert lines == [f"  {url}: {reason}" for url, reason in zip(urls, expected, strict=True)]
    assert [path for path, _ in server.requests] == [
        "/gone", "/page", "/login", "/empty", "/short", "/wrong", "/cut", "/cut"
    ]  # fmt: skip
    assert not (tmp_path / "data.zip").exists()

    good = server.url("/good", answer(BODY))
    assert fetch(archive(*urls, good), tmp_path, sleep=naps.append).read_bytes() == BODY


def test_a_truncated_body_of_unknown_length_is_not_accepted(
    server: Any, answer: Any, tmp_path: Path
) -> None:
    url = server.url("/a", answer(BODY[:500], length=False))
    with pytest.raises(DownloadError, match="it has 500 bytes, the published file has 1048576"):
        fetch(archive(url), tmp_path)


def test_a_server_that_cannot_be_reached_is_named(tmp_path: Path, naps: list[float]) -> None:
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:9/a: .*refused.*\(4 tries without a"):
        fetch(archive("http://127.0.0.1:9/a"), tmp_path, sleep=naps.append)
    assert naps == [1.0, 2.0, 4.0]


def test_an_archive_without_address_says_so(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"could not be downloaded\. It has no address"):
        fetch(archive(), tmp_path)


def test_offline_means_no_request(
    server: Any, answer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNN_DATA_OFFLINE", "1")
    wanted = archive(server.url("/a", answer(BODY)))
    with pytest.raises(DownloadError, match=r"SNN_DATA_OFFLINE is set, so data\.zip is not downl"):
        fetch(wanted, tmp_path)
    assert server.requests == []
    monkeypatch.setenv("SNN_DATA_OFFLINE", "0")
    assert fetch(wanted, tmp_path).exists()


def test_a_full_disk_is_seen_before_the_download(
    server: Any, answer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 65 * 10**6})
    monkeypatch.setattr(space.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match=r"has 65\.0 MB free, data\.zip needs 1\.0 MB\. Free"):
        fetch(archive(server.url("/a", answer(BODY))), tmp_path)


def test_a_folder_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DownloadError, match=r"cannot write to .*file.*Set SNN_DATA, or pass root"):
        fetch(archive("http://127.0.0.1:9/a"), tmp_path / "file")


def test_several_at_once_download_once(server: Any, answer: Any, tmp_path: Path) -> None:
    wanted = archive(server.url("/a", answer(BODY)))
    threads = [threading.Thread(target=fetch, args=(wanted, tmp_path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "data.zip").read_bytes() == BODY
    assert len(server.requests) == 1


def test_a_killed_download_is_resumed(server: Any, answer: Any, tmp_path: Path) -> None:
    half, sent, done = len(BODY) // 2, threading.Event(), threading.Event()
    url = server.url("/a", answer(BODY, cut=half, sent=sent, hold=done), answer(BODY))
    wanted = archive(url)
    code = (
        "from pathlib import Path\n"
        "from snn_datasets import Archive, fetch\n"
        f"fetch({wanted!r}, Path({str(tmp_path)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    assert sent.wait(60)
    process.kill()
    process.wait()
    done.set()
    assert not (tmp_path / "data.zip").exists()
    assert fetch(wanted, tmp_path).read_bytes() == BODY


def manual_info() -> Info:
    archives = (
        Archive("data.zip", bytes=2_700_000_000, access="manual", note="The form asks for a name."),
        Archive("labels.csv", page="https://example.org/labels", access="manual"),
        Archive("extra.zip", ("https://example.org/extra.zip",)),
    )
    return Info(
        "gesture",
        "Gesture",
        "CC BY 4.0",
        "nobody",
        "https://example.org",
        "2.7 GB",
        {},
        archives,
        manual="Open the page, accept the licence,\nand press 'Download all'.",
    )


MANUAL = """Gesture: data.zip, labels.csv, extra.zip are missing; looked in {0}. No program may \
fetch data.zip, labels.csv, a person has to get them.
By hand:
  get data.zip (2.7 GB) from https://example.org
    The form asks for a name.
  get labels.csv from https://example.org/labels
  get extra.zip from https://example.org/extra.zip
  Open the page, accept the licence,
  and press 'Download all'.
  and put them, not unpacked, into {0}
  (or type: snn data prepare gesture --from FOLDER|ZIP --root {0})
Gesture: 2.7 GB in all, licence CC BY 4.0, see https://example.org"""


@pytest.mark.parametrize("download", [True, False])
def test_what_a_person_has_to_fetch_is_told_exactly(tmp_path: Path, download: bool) -> None:
    info = manual_info()
    with pytest.raises(MissingData) as caught:
        obtain(info, [a.file for a in info.archives], [tmp_path], download=download)
    assert str(caught.value) == MANUAL.format(tmp_path)
    for file in ("data.zip", "labels.csv"):
        (tmp_path / file).touch()
    with pytest.raises(MissingData, match=r"extra\.zip is missing.*Pass download=True to fetch"):
        obtain(info, ["data.zip", "extra.zip"], [tmp_path], download=False)


def test_room_for_all_files_is_made_sure_of_before_the_first(
    server: Any, answer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archives = tuple(Archive(f"{i}.zip", (server.url("/a", answer(BODY)),), 10**8) for i in "ab")
    info = Info("two", "Two", "CC0", "", "", "200 MB", {}, archives)
    (tmp_path / "a.zip.part").write_bytes(bytes(10**6))
    usage = type("Usage", (), {"free": 265 * 10**6})
    monkeypatch.setattr(space.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match=r"has 265\.0 MB free, Two needs 199\.0 MB\. Free some"):
        obtain(info, ["a.zip", "b.zip"], [tmp_path], download=True)
    assert server.requests == []


def test_archives_that_must_be_unpacked_are_asked_for_unpacked(tmp_path: Path) -> None:
    info = dataclasses.replace(manual_info(), manual="Unpack the outer archive.")
    with pytest.raises(MissingData, match=rf"  and put it into {tmp_path}\n"):
        obtain(info, ["data.zip"], [tmp_path], download=False)
