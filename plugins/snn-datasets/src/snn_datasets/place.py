"""Where data lies, and how its files get there."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from platformdirs import user_data_dir

from snn_datasets.errors import DownloadError, MissingData
from snn_datasets.getting.checksum import Checksum
from snn_datasets.getting.space import check_space
from snn_datasets.manifest import Info, readable_size

# Reading more than this at each start would be felt.
_HASHED_AT_OPENING = 64 * 2**20


def data_root() -> Path:
    """The folder of all datasets: ``SNN_DATA``, else ``snn`` in the user's data folder.

    Example:
        >>> data_root().is_absolute()
        True
    """
    folder = os.environ.get("SNN_DATA") or user_data_dir("snn", appauthor=False)
    return Path(folder).expanduser().absolute()


def describe_root() -> str:
    """One line for ``snn doctor``. Raises: PermissionError if the data folder is not writable."""
    root = data_root()
    nearest = next(folder for folder in (root, *root.parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise PermissionError(f"cannot write to {nearest}; set SNN_DATA to another folder")
    offline = ", offline (SNN_DATA_OFFLINE)" if is_offline() else ""
    return f"{root}{'' if root.exists() else ' (made when needed)'}{offline}"


def is_offline() -> bool:
    """Whether ``SNN_DATA_OFFLINE`` forbids downloads."""
    return os.environ.get("SNN_DATA_OFFLINE", "") not in ("", "0")


def obtain(
    info: Info, files: Sequence[str], folders: Sequence[Path], *, download: bool
) -> list[Path]:
    """Paths of the archives ``files``, downloaded if allowed and needed.

    A local file whose published size is known and at most 64 MiB is compared with the manifest;
    one that differs is used, with one notice. Larger files are hashed after a download alone.
    Before the first byte is fetched, room for all missing files is made sure of.

    Args:
        files: names of archives of ``info``.
        folders: where to look, in this order; downloads go into the first.

    Raises:
        MissingData: a file is in none of the folders, and ``download`` is false or no program
            may fetch it; with what a person has to do.
        DownloadError: no mirror gave a file, the disk has not enough room, or
            ``SNN_DATA_OFFLINE`` is set.
    """
    places = {file: _find(file, folders) for file in files}
    missing = [file for file, path in places.items() if path is None]
    if missing:
        _check_fetchable(info, missing, folders, download)
    for path in filter(None, places.values()):
        _compare(info, path)
    return [path or _fetch(info, file, folders[0]) for file, path in places.items()]


@cache
def notice(path: Path, reason: str) -> None:
    """Says, once per process, that a local file is not the published one."""
    warnings.warn(
        f"{path} is not the published file: {reason}. It is used as it is.",
        UserWarning,
        stacklevel=2,
    )


def _find(file: str, folders: Sequence[Path]) -> Path | None:
    return next((folder / file for folder in folders if (folder / file).is_file()), None)


def present(info: Info, folder: Path) -> list[str]:
    """The archives of a dataset that are in its folder, or were unpacked in it."""
    return [
        archive.file
        for archive in info.archives
        if (folder / archive.file).is_file() or (folder / archive.file.partition(".")[0]).is_dir()
    ]


def _compare(info: Info, path: Path) -> None:
    archive = info.archive(path.name)
    if archive.bytes is None or archive.bytes > _HASHED_AT_OPENING:
        return
    fault = Checksum(archive).read(path).fault()
    if fault:
        notice(path, fault)


def _fetch(info: Info, file: str, folder: Path) -> Path:
    from snn_datasets.getting.download import fetch  # rich and locks are needed for this alone

    try:
        return fetch(info.archive(file), folder)
    except DownloadError as error:
        raise DownloadError(f"{error}\n{by_hand(info, [file], folder)}") from error


def _absence(info: Info, files: Sequence[str], folders: Sequence[Path]) -> str:
    verb = "is" if len(files) == 1 else "are"
    looked = " and ".join(str(folder) for folder in folders)
    return f"{info.title}: {', '.join(files)} {verb} missing; looked in {looked}."


def seen_files(folder: Path) -> list[Path]:
    """The files below a folder in the order of their names, without what is hidden by a dot:
    locks, caches, what is being written."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _check_fetchable(
    info: Info, missing: Sequence[str], folders: Sequence[Path], download: bool
) -> None:
    absence, target = _absence(info, missing, folders), folders[0]
    manual = [file for file in missing if info.archive(file).access == "manual"]
    if manual:
        them = "it" if len(manual) == 1 else "them"
        raise MissingData(
            f"{absence} No program may fetch {', '.join(manual)}, a person has to get {them}.\n"
            f"{by_hand(info, missing, target)}"
        )
    if not download:
        raise MissingData(
            f"{absence} Pass download=True to fetch what is missing, or root=... if you have it "
            f"elsewhere.\n{by_hand(info, missing, target)}"
        )
    if is_offline():
        raise DownloadError(
            f"{absence} SNN_DATA_OFFLINE is set, so nothing is downloaded.\n"
            f"{by_hand(info, missing, target)}"
        )
    check_space(target, bytes_to_fetch(info, missing, target), what=info.title)


def bytes_to_fetch(info: Info, files: Sequence[str], folder: Path) -> int:
    """Bytes of archives, as far as they are published, less what an earlier download left."""
    total = 0
    for file in files:
        part = folder / f"{file}.part"
        left = part.stat().st_size if part.exists() else 0
        total += max((info.archive(file).bytes or 0) - left, 0)
    return total


def by_hand(info: Info, files: Sequence[str], folder: Path) -> str:
    """How a person gets archives: from where, what to do there, and where to put them.

    Args:
        files: names of archives of ``info``.
        folder: where they belong.
    """
    lines = ["By hand:"]
    for file in files:
        archive = info.archive(file)
        size = f" ({readable_size(archive.bytes)})" if archive.bytes else ""
        source = " or ".join(archive.urls) or archive.page or info.homepage
        lines.append(f"  get {file}{size} from {source}")
        if archive.note:
            lines.append(f"    {archive.note}")
    if info.manual:
        lines.extend(f"  {line.strip()}" for line in info.manual.strip().splitlines())
    them = "it" if len(files) == 1 else "them"
    # Some authors pack archives of archives; their steps say what to unpack.
    how = "" if "npack" in (info.manual or "") else ", not unpacked,"
    lines.append(f"  and put {them}{how} into {folder}")
    root = "" if folder == data_root() / info.name else f" --root {shlex.quote(str(folder))}"
    lines.append(f"  (or type: snn data prepare {info.name} --from FOLDER|ZIP{root})")
    lines.append(f"{info.title}: {info.size} in all, licence {info.licence}, see {info.homepage}")
    return "\n".join(lines)
