"""Comparing bytes with what a manifest says of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from snn_datasets.manifest import Archive

_CHUNK = 1 << 20
_WEB_PAGE = (b"<!doctype html", b"<html")


def is_web_page(head: bytes) -> bool:
    """Whether bytes begin a web page: what servers send, and browsers save, instead of a file.

    Example:
        >>> is_web_page(b"<!DOCTYPE html><title>Please log in")
        True
    """
    return head.lstrip()[:20].lower().startswith(_WEB_PAGE)


class Checksum:
    """Grows with the bytes of one archive; :meth:`fault` says what is wrong with them."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._expected = {
            name: value
            for name, value in (("md5", archive.md5), ("sha256", archive.sha256))
            if value is not None
        }
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in self._expected}
        self.count = 0

    def update(self, data: bytes) -> None:
        """Takes the next bytes."""
        self.count += len(data)
        for value in self._hashes.values():
            value.update(data)

    def read(self, path: Path) -> Checksum:
        """Takes all bytes of a file; none if it does not exist."""
        if path.exists():
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    self.update(chunk)
        return self

    def fault(self) -> str | None:
        """How the bytes taken differ from the archive; None if they do not."""
        expected = self._archive.bytes
        if expected is not None and self.count != expected:
            return f"it has {self.count} bytes, the published file has {expected}"
        for name, value in self._hashes.items():
            if value.hexdigest() != self._expected[name]:
                return (
                    f"its {name} is {value.hexdigest()}, that of the published file is "
                    + (self._expected[name])
                )
        return None
