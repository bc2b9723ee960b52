"""The header of Prophesee's files: text lines that begin with a percent sign."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from snn_datasets.sensor import Size

_LINE = 4096
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f]")
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")


@dataclass(frozen=True)
class PercentHeader:
    """What the header says.

    Args:
        fields: first words of the lines, in lower case, and the rest of each line; of a
            ``format`` line also its options.
        text: the lines.
        bytes: where the header ends.
    """

    fields: Mapping[str, str]
    text: str
    bytes: int

    @classmethod
    def read(cls, file: BinaryIO) -> PercentHeader:
        """Reads the header from the beginning; a file without one has an empty header."""
        file.seek(0)
        end, lines = 0, list[str]()
        while (line := file.readline(_LINE)).startswith(b"%"):
            # Binary data may begin with a percent sign too, but do not go on as text.
            if not line.endswith(b"\n") or _CONTROL.search(line.rstrip(b"\r\n")):
                break
            end += len(line)
            lines.append(line.decode("latin-1").lstrip("%").strip())
            if lines[-1].lower() == "end":
                break
        fields = dict[str, str]()
        for line in lines:
            key, _, value = line.partition(" ")
            fields[key.lower()] = value.strip()
        for option in fields.get("format", "").split(";")[1:]:
            key, _, value = option.partition("=")
            fields[key.strip().lower()] = value.strip()
        return cls(fields, "\n".join(lines), end)

    def size(self) -> Size | None:
        """(width, height) of the sensor, if the header says it."""
        found = _SIZE.fullmatch(self.fields.get("geometry", ""))
        pair = found.groups() if found else (self.fields.get("width"), self.fields.get("height"))
        if not all(number and number.isdecimal() and 0 < int(number) < 1 << 15 for number in pair):
            return None
        width, height = (int(number or 0) for number in pair)
        return width, height


def percent_lines(*lines: str) -> bytes:
    """A header of these lines."""
    return "".join(f"% {line}\n" for line in lines).encode("ascii")
