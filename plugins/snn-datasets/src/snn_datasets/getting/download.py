"""Downloads that resume, are verified, and never leave half a file under its final name."""

from __future__ import annotations

import errno
import os
import re
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from snn_datasets.errors import DownloadError
from snn_datasets.getting.checksum import Checksum, is_web_page
from snn_datasets.getting.lock import locked
from snn_datasets.getting.progress import byte_bar
from snn_datasets.getting.space import check_space
from snn_datasets.manifest import Archive
from snn_datasets.place import is_offline

_CHUNK = 1 << 18
_HEAD = 512
_WORTH_ANOTHER_TRY = (408, 425, 429, 500, 502, 503, 504)


class _Refused(Exception):
    """This mirror will not give the file, however often it is asked."""


class _Broken(OSError):
    """The transfer ended early; the next one resumes it."""


@dataclass(frozen=True)
class _Patience:
    attempts: int
    timeout: float
    sleep: Callable[[float], object]


def fetch(
    archive: Archive,
    folder: Path,
    *,
    attempts: int = 4,
    timeout: float = 30.0,
    sleep: Callable[[float], object] = time.sleep,
) -> Path:
    """Downloads ``archive`` into ``folder`` unless it is there, and returns its path.

    Bytes go into ``<file>.part``, which a later call resumes; they are verified and then renamed.
    Several processes may ask at once: one downloads, the others wait for it.

    Args:
        attempts: tries per mirror in a row that bring no new byte.
        timeout: seconds without a byte after which a try is given up.
        sleep: called with the seconds to wait between tries: 1, 2, 4 ... 30.

    Raises:
        DownloadError: no mirror gave the file, with each mirror's reason; the folder is full or
            not writable; ``SNN_DATA_OFFLINE`` is set.
    """
    target = folder / archive.file
    if target.exists():
        return target
    if is_offline():
        raise DownloadError(f"SNN_DATA_OFFLINE is set, so {archive.file} is not downloaded.")
    with locked(folder, archive.file):
        if not target.exists():  # another process may have fetched it meanwhile
            _from_any_mirror(archive, target, _Patience(attempts, timeout, sleep))
    return target


def _from_any_mirror(archive: Archive, target: Path, patience: _Patience) -> None:
    part = target.with_name(f"{target.name}.part")
    reasons: list[str] = []
    for url in archive.urls:
        reason = _from_mirror(url, archive, part, patience)
        if reason is None:
            os.replace(part, target)
            return
        reasons.append(f"\n  {url}: {reason}")
    raise DownloadError(
        f"{archive.file} could not be downloaded.{''.join(reasons) or ' It has no address.'}"
    )


def _from_mirror(url: str, archive: Archive, part: Path, patience: _Patience) -> str | None:
    """Completes ``part`` from one mirror; the reason if that fails."""
    failures = 0
    restarted = False
    while True:
        before = _size(part)
        try:
            fault = _transfer(url, archive, part, patience.timeout)
        except _Refused as refusal:
            return str(refusal)
        except (OSError, HTTPException) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DownloadError(f"the disk that holds {part} is full.") from error
            failures = 0 if _size(part) > before else failures + 1
            if failures >= patience.attempts:
                return f"{_said(error, patience)} ({failures} tries without a new byte)"
            patience.sleep(min(2.0 ** max(failures - 1, 0), 30.0))
            continue
        if fault is None:
            return None
        part.unlink()
        if not before or restarted:
            return fault
        restarted = True  # the fault may lie in what an earlier run had left


def _transfer(url: str, archive: Archive, part: Path, timeout: float) -> str | None:
    """One request that completes ``part``; what is wrong with the whole, if anything is."""
    checksum = Checksum(archive).read(part)
    if checksum.count and checksum.count == archive.bytes:
        return checksum.fault()
    try:
        response = _ask(url, checksum.count, timeout)
    except HTTPError as error:
        with error:
            if error.code == 416:  # nothing follows: the part is complete, or another file's
                return checksum.fault()
            kind = _Broken if error.code in _WORTH_ANOTHER_TRY else _Refused
            raise kind(f"HTTP {error.code} {error.reason}") from None
    with response:
        start, total = _extent(response)
        if start not in (0, checksum.count):
            raise _Refused(f"sends from byte {start} when asked from byte {checksum.count}")
        if archive.bytes is not None and total not in (None, archive.bytes):
            raise _Refused(f"offers {total} bytes, expected {archive.bytes}")
        if start != checksum.count:
            checksum = Checksum(archive)
        left = (total or archive.bytes or 0) - start
        check_space(part.parent, left, what=archive.file)
        chunk = response.read(_HEAD)
        _check_body(response, chunk, total)
        with part.open("ab" if start else "wb") as out, byte_bar() as progress:
            task = progress.add_task(archive.file, total=total, completed=start)
            while chunk:
                out.write(chunk)
                checksum.update(chunk)
                progress.update(task, completed=checksum.count)
                chunk = response.read1(_CHUNK)  # what has come: a stall loses nothing of it
            out.flush()
            os.fsync(out.fileno())
    if total is not None and checksum.count < total:
        raise _Broken(f"the connection ended after {checksum.count} of {total} bytes")
    return checksum.fault()


def _ask(url: str, start: int, timeout: float) -> Any:
    headers = {"User-Agent": "snn-datasets", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)


def _extent(response: Any) -> tuple[int, int | None]:
    """First byte that comes, and bytes of the whole file if the server says."""
    match = re.match(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if response.status == 206 and match:
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() and int(length) else None


def _check_body(response: Any, head: bytes, total: int | None) -> None:
    if not head and total is not None:
        raise _Broken(f"the connection ended before the first of {total} bytes")
    if not head:
        raise _Refused(f"the answer is empty (HTTP {response.status})")
    page = response.headers.get("Content-Type", "").startswith("text/html")
    if page or is_web_page(head):
        raise _Refused("the answer is a web page instead of the file (a login or a moved file?)")


def _said(error: Exception, patience: _Patience) -> str:
    if isinstance(error, TimeoutError):
        return f"no byte came for {patience.timeout:g} s"
    return str(error) or type(error).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
