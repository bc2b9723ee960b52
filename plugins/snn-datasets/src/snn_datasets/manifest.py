"""What is known of a dataset before any of it is here: files, checksums, licence, source."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal, TypeAlias, get_args

Access: TypeAlias = Literal["auto", "manual"]
"""Whether a program may fetch a file, or a person must (a form, a licence page, a login)."""


@dataclass(frozen=True)
class Archive:
    """One published file.

    Args:
        file: its name, which is also its name on disk.
        urls: mirrors, tried in this order.
        bytes: exact size, where it is known.
        md5, sha256: checksums in hexadecimal digits, where known.
        access: "auto" if a program may fetch it, "manual" if a person must.
        page: where a person finds it, if that is not the home page of the dataset.
        note: what else to know before it is fetched.

    Raises: ValueError for another ``access``.
    """

    file: str
    urls: tuple[str, ...] = ()
    bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None
    access: Access = "auto"
    page: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        if self.access not in get_args(Access):
            raise ValueError(
                f"archive {self.file}: access must be 'auto' or 'manual', got {self.access!r}"
            )


@dataclass(frozen=True)
class Info:
    """A dataset as its authors published it.

    Args:
        name: component name, and folder name under the data folder.
        title: name in the literature.
        licence, citation, homepage: terms of use, paper, and where to read more.
        size: bytes of all archives, for people.
        samples: items of each split.
        archives: files to get; empty for data that comes with a package.
        sensor: (width, height) in pixels; (channels, 1) for sound.
        classes: how many there are.
        formats: what the files are, as components of the kind ``format``.
        counts: items of each split by other readings of the data than that of ``samples``.
        quirks: what surprises in the data, a sentence each.
        manual: what a person does to get what no program may fetch.
    """

    name: str
    title: str
    licence: str
    citation: str
    homepage: str
    size: str
    samples: Mapping[str, int]
    archives: tuple[Archive, ...] = ()
    sensor: tuple[int, int] | None = None
    classes: int | None = None
    formats: tuple[str, ...] = ()
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    quirks: tuple[str, ...] = ()
    manual: str | None = None

    @property
    def access(self) -> Access:
        """ "manual" if a person must fetch any of the archives."""
        return "manual" if any(a.access == "manual" for a in self.archives) else "auto"

    @classmethod
    def load(cls, name: str) -> Info:
        """Reads the manifest ``name`` of this plugin.

        Example:
            >>> Info.load("mnist").samples["train"]
            60000
        """
        text = resources.files("snn_datasets").joinpath(f"manifests/{name}.toml").read_text("utf-8")
        table: dict[str, Any] = tomllib.loads(text)
        archives = tuple(
            Archive(**{**row, "urls": tuple(row.get("urls", ()))})
            for row in table.pop("archives", ())
        )
        for key in ("sensor", "formats", "quirks"):
            if key in table:
                table[key] = tuple(table[key])
        return cls(name=name, archives=archives, **table)

    def archive(self, file: str) -> Archive:
        """The archive called ``file``. Raises: KeyError if there is none."""
        for archive in self.archives:
            if archive.file == file:
                return archive
        raise KeyError(f"{self.title} has no archive {file!r}")


def readable_size(count: int) -> str:
    """A number of bytes for people.

    Example:
        >>> readable_size(1648877)
        '1.6 MB'
    """
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
