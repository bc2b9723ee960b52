"""The page that a benchmark prints: what the numbers depend on, then tables."""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from measure import Effort
from peers import versions

from snncore.kernels import build

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"


@dataclass
class Page:
    """A page of ``docs/benchmarks`` while it grows.

    Args:
        name: of the script and of the file.
        title: its heading.
    """

    name: str
    title: str
    notes: list[str] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.look()

    def look(self) -> None:
        """Notes how busy the machine is now."""
        self.loads.append(os.getloadavg()[0])

    def add(self, heading: str, words: str, rows: Sequence[Sequence[str]]) -> None:
        """A section with a table; the first row is its head."""
        self.look()
        self.sections.append(f"## {heading}\n\n{words}\n\n{table(rows)}\n")

    def command(self) -> str:
        """What was typed, without where the page goes."""
        typed = " ".join(["python", f"benchmarks/{self.name}.py", *sys.argv[1:]])
        return re.sub(r" --(write|out[ =]\S+)", "", typed)

    def text(self, effort: Effort | None) -> str:
        notes = [*machine(), conditions(effort, self.loads), *self.notes]
        return "\n".join(
            [
                f"# {self.title}",
                "",
                f"Written by `{self.command()}`; `benchmarks/README.md` says how it measures.",
                "",
                *(f"- {note}" for note in notes),
                "",
                *self.sections,
            ]
        )

    def publish(self, effort: Effort | None, options: argparse.Namespace) -> None:
        """Prints the page, and writes it where the options say."""
        text = self.text(effort)
        print(text)
        places = [FOLDER / f"{self.name}.md"] * options.write + [options.out] * bool(options.out)
        for place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)


def parser(documentation: str | None) -> argparse.ArgumentParser:
    """With what every benchmark accepts."""
    made = argparse.ArgumentParser(description=(documentation or "").splitlines()[0])
    made.add_argument("--write", action="store_true", help="write the page into docs/benchmarks")
    made.add_argument("--out", type=Path, metavar="FILE", help="write the page to a file")
    made.add_argument("--child", help=argparse.SUPPRESS)
    return made


def add_effort(made: argparse.ArgumentParser) -> None:
    """Options of a benchmark whose contenders take turns."""
    made.add_argument("--repeats", type=int, default=9, help="rounds at most")
    made.add_argument(
        "--seconds", type=float, default=8.0, help="per table row, no further round after these"
    )
    made.add_argument("--threads", type=int, default=1, help="1 measures CPU time, more wall")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Markdown of a head and rows."""
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))


def number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def power(value: int) -> str:
    """2^k where it is a power of two."""
    return f"2^{value.bit_length() - 1}" if value & (value - 1) == 0 else str(value)


def machine() -> list[str]:
    """Processor, compiler, libraries."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    compiler = build.compiler()
    said = ""
    if compiler:
        said = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout
    pages = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    huge = pages.read_text().split("[")[1].split("]")[0] if pages.exists() else "none"
    return [
        f"{model}, {os.cpu_count()} cores, huge pages {huge}; {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}, "
        f"{(said.splitlines() or ['no compiler'])[0]}",
        ", ".join(versions()),
    ]


def conditions(effort: Effort | None, loads: Sequence[float]) -> str:
    load = f"load average {min(loads):.1f} to {max(loads):.1f} (the benchmark itself is 1)"
    if effort is None:
        return load
    clock = "CPU" if effort.threads == 1 else "wall"
    return (
        f"{effort.threads} thread{'s' * (effort.threads > 1)}, {clock} time, medians of up to "
        f"{effort.repeats} rounds, none begun after {effort.seconds:g} s and three rounds; {load}"
    )
