"""What is found when a graph is checked or converted: all of it, for people and for programs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias, get_args

from snncore.errors import ConfigError

Severity: TypeAlias = Literal["error", "warn", "info"]
Cell: TypeAlias = str | int | float | bool | None

_CODE = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)*-?[0-9]{3}")
_SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One rule that a network breaks, or one fact worth knowing.

    Args:
        code: of the rule, letters and three digits (``LAVA012``, ``NIR-LOSS-003``); stable, so
            that programs may look for it.
        severity: "error" (nothing is exported), "warn" or "info".
        path: the module of the user's network; empty for the network itself.
        op: what stands there.
        what: what is wrong, one sentence.
        value, allowed: what was found and what may be; empty where the sentence says it.
        why: where the rule comes from: a data sheet, a paper, a measurement.
        fix: what to do about it.
        auto_fix: name of the pass that does it, where one can.

    Raises: ConfigError for a code or a severity that is none.

    Example:
        >>> finding = Finding(
        ...     code="TOY001",
        ...     severity="error",
        ...     path="2",
        ...     op="Pool",
        ...     what="max-pooling is not supported",
        ...     fix="use a convolution of stride 2",
        ... )
        >>> print(finding)
        error TOY001 at 2 (Pool): max-pooling is not supported; use a convolution of stride 2
    """

    code: str
    severity: Severity
    path: str
    op: str
    what: str
    value: str = ""
    allowed: str = ""
    why: str = ""
    fix: str = ""
    auto_fix: str | None = None

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.code):
            raise ConfigError(
                "the code of a finding is capital letters and three digits, as in LAVA012 or "
                f"NIR-LOSS-003, got {self.code!r}"
            )
        if self.severity not in get_args(Severity):
            raise ConfigError(
                f"the severity of a finding is error, warn or info, got {self.severity!r}"
            )

    def __str__(self) -> str:
        found = f", found {self.value}" if self.value else ""
        allowed = f", allowed is {self.allowed}" if self.allowed else ""
        why = f" ({self.why})" if self.why else ""
        auto = f" (pass {self.auto_fix} does it)" if self.auto_fix else ""
        fix = f"; {self.fix}{auto}" if self.fix else ""
        where = f"{self.path or 'the network'} ({self.op})"
        return f"{self.severity} {self.code} at {where}: {self.what}{found}{allowed}{why}{fix}"


@dataclass(frozen=True)
class Table:
    """Numbers of a report, row by row: resources, quantisation.

    Args:
        title: its heading.
        columns: names, with units.
        rows: of as many cells.

    Raises: ConfigError for a row of another length.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ConfigError(
                    f"table {self.title!r} has {len(self.columns)} columns, a row has {len(row)}"
                )


@dataclass(frozen=True)
class Report:
    """Everything that was found, never the first fault alone.

    Args:
        subject: what was checked, and for what.
        findings: in any order.
        tables: numbers beside them.
    """

    subject: str
    findings: tuple[Finding, ...] = ()
    tables: tuple[Table, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that forbid an export."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.errors

    @property
    def exit_code(self) -> int:
        """What a command ends with: 1 with errors, else 0."""
        return int(not self.ok)

    def __add__(self, other: Report) -> Report:
        return Report(self.subject, self.findings + other.findings, (*self.tables, *other.tables))

    def ordered(self) -> tuple[Finding, ...]:
        """Errors first, then warnings, then facts; otherwise as they were found."""
        order = get_args(Severity)
        return tuple(sorted(self.findings, key=lambda finding: order.index(finding.severity)))

    def summary(self) -> str:
        """One line with the numbers of findings."""
        counts = [sum(f.severity == level for f in self.findings) for level in get_args(Severity)]
        words = ("error", "warning", "note")
        parts = [
            f"{count} {word}{'s' * (count != 1)}"
            for count, word in zip(counts, words, strict=True)
            if count
        ]
        return f"{self.subject}: {', '.join(parts) or 'nothing found'}"

    def __str__(self) -> str:
        lines = [self.summary(), *map(str, self.ordered())]
        for table in self.tables:
            lines += ["", table.title, *_aligned(table)]
        return "\n".join(lines)

    def markdown(self) -> str:
        """The same as a page."""
        lines = [f"# {self.subject}", "", self.summary(), ""]
        if self.findings:
            names = ("severity", "code", "path", "op", "what", "value", "allowed", "why", "fix")
            rows = [[str(getattr(f, name)) for name in names] for f in self.ordered()]
            lines += [*_piped(names, rows), ""]
        for table in self.tables:
            lines += [f"## {table.title}", "", *_piped(table.columns, _cells(table)), ""]
        return "\n".join(lines)

    def json(self) -> str:
        """The same for programs; :meth:`from_json` reads it."""
        content = {"schema": _SCHEMA, "ok": self.ok, **asdict(self)}
        return json.dumps({**content, "sha256": _digest(content)}, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """What :meth:`json` wrote.

        Raises: ConfigError for text that is no report, of another schema, or not as it was written.
        """
        try:
            content = json.loads(text)
            if content["schema"] != _SCHEMA:
                raise ConfigError(
                    f"the report has schema {content['schema']!r}, this version reads {_SCHEMA}"
                )
            # Others may have put more beside it.
            own = {name: content[name] for name in ("schema", "ok", *cls.__dataclass_fields__)}
            if content["sha256"] != _digest(own):
                raise ConfigError("the report is damaged: its content is not what was written")
            findings = tuple(Finding(**finding) for finding in content["findings"])
            tables = tuple(
                Table(t["title"], tuple(t["columns"]), tuple(map(tuple, t["rows"])))
                for t in content["tables"]
            )
            return cls(content["subject"], findings, tables)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"this is no report ({type(error).__name__}: {error})") from error


def _digest(content: Mapping[str, object]) -> str:
    """SHA-256 of what a report says, whatever the layout of its text."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _cells(table: Table) -> list[list[str]]:
    return [[_cell(value) for value in row] for row in table.rows]


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _aligned(table: Table) -> list[str]:
    rows = [list(table.columns), *_cells(table)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _piped(names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    return [line(names), line(["---"] * len(names)), *map(line, rows)]
