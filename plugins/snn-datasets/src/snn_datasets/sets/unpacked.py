"""Archives of a dataset however far they were unpacked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from snn_datasets.archives.members import FolderMembers, Members, ZipMembers, open_members
from snn_datasets.errors import FormatError
from snn_datasets.event_dataset import EventDataset
from snn_datasets.place import obtain


def parts_of(
    dataset: EventDataset,
    files: Sequence[str],
    *,
    suffix: str,
    pattern: re.Pattern[str],
    inner: re.Pattern[str] | None = None,
) -> list[Members]:
    """Where the recordings of some archives of a manifest are.

    They are looked for among the files below the dataset's folder, then in the zip files there
    that the archives hold, then in the archives themselves. Of several archives, each may be
    unpacked, into a folder of its name, or not.

    Args:
        files: names of the archives.
        suffix: of the names of the recordings.
        pattern: found in names of recordings, and of no other files.
        inner: found in names of the zip files within an archive, where it holds such.

    Raises:
        MissingData: an archive is nowhere and ``download`` is false.
        FormatError: an archive holds zip files and has to be unpacked first.
    """
    found = list[Members]()
    missing = list(files)
    if dataset.folder.is_dir():
        loose = FolderMembers(dataset.folder, suffix=suffix)
        names = [name for name in loose.names if pattern.search(name)]
        if names:
            found.append(loose)
            folders = {part for name in names for part in name.split("/")[:-1]}
            missing = [file for file in files if len(files) > 1 and _stem(file) not in folders]
        elif inner is not None:
            packed = FolderMembers(dataset.folder, suffix=".zip")
            whole = [packed.path / name for name in packed.names if inner.search(name)]
            if whole:
                return [ZipMembers(path, suffix=suffix) for path in whole]
    for path in obtain(dataset.info, missing, [dataset.folder], download=dataset.download):
        members = open_members(path, suffix=suffix)
        if not members.names and inner is not None:
            _refuse_nested(open_members(path, suffix=".zip"), inner, dataset)
        found.append(members)
    return found


def _stem(file: str) -> str:
    return file.partition(".")[0]


def _refuse_nested(whole: Members, inner: re.Pattern[str], dataset: EventDataset) -> None:
    nested = [name for name in whole.names if inner.search(name)]
    if nested:
        raise FormatError(
            f"{whole.path} holds {len(nested)} zip files ({nested[0]} ...), which cannot be read "
            f"in place; unpack it, but not those, into {dataset.folder}"
        )
