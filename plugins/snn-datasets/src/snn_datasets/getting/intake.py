"""Archives that a person has fetched: found, verified, and put where they belong."""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from snn_datasets.errors import FormatError, MissingData
from snn_datasets.getting.checksum import Checksum, is_web_page
from snn_datasets.getting.lock import locked
from snn_datasets.getting.progress import byte_bar
from snn_datasets.getting.space import check_space
from snn_datasets.manifest import Archive, Info
from snn_datasets.place import by_hand, seen_files

_CHUNK = 1 << 20
_HEAD = 64


@dataclass(frozen=True)
class _Candidate:
    """A file of a folder, or a member of a zip file."""

    shown: str
    name: str
    size: int
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    path: Path | None = None


def import_files(
    info: Info, source: str | Path, folder: Path, files: Sequence[str] | None = None
) -> list[Path]:
    """Takes archives of a dataset from wherever a person has put them.

    An archive is looked for by its name, then among files of other names by its published size
    and checksum (browsers rename what they save). It is verified, and linked or copied under its
    own name into ``folder``; the source is left as it is. What is in ``folder`` already is kept.

    Args:
        info: the dataset.
        source: a folder (with all folders below it), a zip file that holds the archives or is one
            of them, or another archive itself.
        folder: where the archives belong.
        files: which archives of ``info``; all if not given.

    Returns: the paths of the archives that are in ``folder`` now. What was nowhere to be found is
        not among them.

    Raises:
        MissingData: the source does not exist, or holds none of the archives.
        FormatError: a file has the name of an archive and is another, or the zip file is damaged.
        DownloadError: ``folder`` is full or not writable.

    Example:
        >>> import tempfile
        >>> from snn_datasets import Archive
        >>> info = Info("tiny", "Tiny", "CC0", "", "", "2 bytes", {}, (Archive("a.bin", bytes=2),))
        >>> here = Path(tempfile.mkdtemp())
        >>> _ = (here / "a.bin").write_bytes(b"ab")
        >>> [path.name for path in import_files(info, here, here / "data")]
        ['a.bin']
    """
    source = Path(source).expanduser()
    if not source.exists():
        raise MissingData(f"there is no {source} to take the files of {info.title} from")
    wanted = [info.archive(file) for file in files] if files is not None else info.archives
    missing = [archive for archive in wanted if not (folder / archive.file).exists()]
    candidates = list(_candidates(source)) if missing else []
    taken = 0
    for archive in missing:
        found = _choose(archive, candidates, folder)
        if found is not None:
            _put(found, archive, folder)
            taken += 1
    if missing and not taken:
        names = [archive.file for archive in missing]
        raise MissingData(
            f"{source} holds none of the missing files of {info.title}: {', '.join(names)}.\n"
            f"{by_hand(info, names, folder)}"
        )
    paths = [folder / archive.file for archive in wanted]
    return [path for path in paths if path.exists()]


def _candidates(source: Path) -> Iterable[_Candidate]:
    if source.is_dir():
        for path in seen_files(source):
            if path.suffix != ".part":
                yield _of_file(path)
        return
    yield _of_file(source)
    if not zipfile.is_zipfile(source):
        return
    try:
        with zipfile.ZipFile(source) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, EOFError) as error:
        raise FormatError(f"{source} is no readable zip file ({error}); get it again") from error
    for member in members:
        name = PurePosixPath(member.filename).name
        shown = f"{source}, member {member.filename}"
        yield _Candidate(shown, name, member.file_size, _opener(source, member))


def _of_file(path: Path) -> _Candidate:
    return _Candidate(str(path), path.name, path.stat().st_size, lambda: path.open("rb"), path)


def _opener(
    source: Path, member: zipfile.ZipInfo
) -> Callable[[], AbstractContextManager[IO[bytes]]]:
    def opened() -> IO[bytes]:
        with zipfile.ZipFile(source) as archive:  # the member keeps the file open by itself
            return archive.open(member)

    return opened


def _choose(archive: Archive, candidates: list[_Candidate], folder: Path) -> _Candidate | None:
    """The candidate that is the archive.

    Raises: FormatError if one has its name alone, and none is it.
    """
    named = [c for c in candidates if c.name.lower() == archive.file.lower()]
    faults: list[str] = []
    for candidate in named:
        fault = _fault(candidate, archive)
        if fault is None:
            return candidate
        faults.append(f"{candidate.shown} has the name of {archive.file}, but {fault}")
    if archive.md5 or archive.sha256:
        for candidate in candidates:
            possible = candidate not in named and _may_be(candidate, archive)
            if possible and _fault(candidate, archive) is None:
                return candidate
    if faults:
        raise FormatError(
            f"{'; '.join(faults)}. Get it again, or put it into {folder} yourself to use it as "
            "it is"
        )
    return None


def _may_be(candidate: _Candidate, archive: Archive) -> bool:
    """Whether hashing is worth its time."""
    if archive.bytes is not None:
        return candidate.size == archive.bytes
    suffix = PurePosixPath(candidate.name).suffix.lower()
    return suffix in ("", PurePosixPath(archive.file).suffix.lower())


def _fault(candidate: _Candidate, archive: Archive) -> str | None:
    """How a candidate differs from the archive; None if it does not."""
    if archive.bytes not in (None, candidate.size):
        return f"it has {candidate.size} bytes, the published file has {archive.bytes}"
    checksum = Checksum(archive)
    head = b""
    try:
        with candidate.open() as file, byte_bar() as bar:
            task = bar.add_task(f"verifying {candidate.name}", total=candidate.size)
            while chunk := file.read(_CHUNK):
                head = head or chunk[:_HEAD]
                checksum.update(chunk)
                bar.update(task, completed=checksum.count)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        return f"it cannot be read ({error})"
    if not checksum.count:
        return "it is empty"
    if is_web_page(head):
        return "it is a web page (a login or a moved file?)"
    return checksum.fault()


def _put(candidate: _Candidate, archive: Archive, folder: Path) -> None:
    target = folder / archive.file
    with locked(folder, archive.file):
        if target.exists():  # another process may have brought it meanwhile
            return
        aside = folder / f".{archive.file}.{os.getpid()}.part"
        try:
            if not _linked(candidate, aside):
                check_space(folder, candidate.size, what=archive.file)
                with candidate.open() as file, aside.open("wb") as out:
                    shutil.copyfileobj(file, out, _CHUNK)
                    out.flush()
                    os.fsync(out.fileno())
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)


def _linked(candidate: _Candidate, aside: Path) -> bool:
    """Whether the disk could give the file a second name, which takes no room."""
    if candidate.path is None:
        return False
    try:
        os.link(candidate.path.resolve(), aside)
    except OSError:  # another disk, or one that knows no links
        return False
    return True
