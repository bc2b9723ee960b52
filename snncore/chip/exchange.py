"""What a chip plugin is: a record, passes, a lowering, a file, and a simulator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from torch import Tensor

from snncore.chip.capabilities import Capabilities
from snncore.chip.checking import check, resources
from snncore.chip.comparison import ParityReport, Policy, compare
from snncore.chip.files import digest, written_aside
from snncore.chip.trace import Trace, run_source
from snncore.errors import ChipError
from snncore.graph.nodes import Graph
from snncore.graph.passes import Note, Pass, run_passes
from snncore.graph.report import Finding, Report, Table


class Program(Protocol):
    """A network in a chip's own numbers, of which nothing is changed any more."""

    def content(self) -> Mapping[str, Any]:
        """All that decides what it computes: arrays, numbers and texts by name."""
        ...


P = TypeVar("P", bound=Program)


@dataclass(frozen=True)
class Artefact:
    """A file that was written.

    Args:
        path: where.
        sha256: of the program's content; a second export of the same network has the same.
        report: what the checks found.
    """

    path: Path
    sha256: str
    report: Report


class Toolchain(Protocol):
    """The vendor's own software, where a user has it."""

    name: str
    """What ``snn verify --with`` calls it."""

    def available(self) -> str | None:
        """Why it cannot run (package, shared library or version missing); None if it can."""
        ...

    def run(self, path: Path, x: Tensor) -> Trace:
        """Runs an exported file on ``x [T, N, *]`` from rest, as :meth:`Chip.simulate` does.

        Raises: ToolchainMissing; ChipError when the software itself fails.
        """
        ...


class Chip(ABC, Generic[P]):
    """Exchange with one chip. A plugin registers a subclass under kind ``chip``.

    A subclass gives :meth:`capabilities`, :meth:`passes`, :meth:`lower`, :meth:`write`,
    :meth:`read` and :meth:`simulate`; :meth:`layers` and :meth:`quantisation`, which tell people
    what a program is; :meth:`own_findings`, where its record does not say all of its rules; and
    :meth:`toolchain`, where the vendor's software can be run. It never raises for a user's network
    before :func:`export`, which writes nothing when there is an error.
    """

    @abstractmethod
    def capabilities(self) -> Capabilities:
        """The chip's record."""

    @abstractmethod
    def passes(self) -> Sequence[Pass]:
        """What is done to a graph before it is checked, in order."""

    @abstractmethod
    def lower(self, graph: Graph) -> P:
        """The chip's numbers of a graph without errors."""

    @abstractmethod
    def write(self, program: P, path: Path) -> None:
        """Writes a program to a path at which nothing stands."""

    @abstractmethod
    def read(self, path: Path) -> P:
        """Reads a program. Raises: ChipError naming file, place and what was expected."""

    @abstractmethod
    def simulate(self, program: P, x: Tensor, record: Sequence[str] = ()) -> Trace:
        """Runs a program as the chip does, on the CPU, without the vendor's software.

        Args:
            program: what to run, from rest.
            x: ``[T, N, *]``.
            record: paths of layers whose spikes and states are kept.
        Returns: T + latency steps, until the last input has come out; see :class:`Trace`.
        """

    def layers(self, program: P) -> Sequence[str]:
        """Paths, in the user's network, of the layers that :meth:`simulate` can record."""
        return ()

    def quantisation(self, graph: Graph, program: P) -> Table | None:
        """What became of a network's numbers, layer by layer: scales, clipped shares, errors.

        Args:
            graph: what was lowered.
            program: what became of it.
        """
        return None

    def own_findings(self, graph: Graph) -> tuple[Finding, ...]:
        """What the chip's own rules find, beside those of its record."""
        return ()

    def toolchain(self, interpreter: Path | None = None) -> Toolchain | None:
        """The vendor's software, if it can be run at all.

        Args:
            interpreter: the Python that has it, where it is not this one.
        """
        return None


def prepare(chip: Chip[Any], graph: Graph) -> tuple[Graph, tuple[Note, ...]]:
    """A graph after a chip's passes, with their notes."""
    return run_passes(graph, chip.passes())


def examine(chip: Chip[P], graph: Graph) -> tuple[Report, P | None]:
    """Everything that a chip has to say of a network, and the program if nothing forbids it.

    Args:
        chip: a built component of kind ``chip``.
        graph: of the network, as traced.

    Returns: a report with what the passes did, resources, and what became of the numbers where
        there is a program.
    """
    record = chip.capabilities()
    prepared, notes = prepare(chip, graph)
    findings = (*check(prepared, record), *chip.own_findings(prepared))
    tables = (*_notes(notes), resources(prepared))
    report = Report(f"network for {record.name}", findings, tables)
    if not report.ok:
        return report, None
    program = chip.lower(prepared)
    numbers = chip.quantisation(prepared, program)
    if numbers is not None:
        report = replace(report, tables=(*report.tables, numbers))
    return report, program


def _notes(notes: Sequence[Note]) -> tuple[Table, ...]:
    rows = tuple((note.name, note.path, note.text) for note in notes)
    return (Table("Passes", ("pass", "layer", "what it did"), rows),) if rows else ()


def validate(chip: Chip[Any], graph: Graph) -> Report:
    """The report of :func:`examine`."""
    return examine(chip, graph)[0]


def export(chip: Chip[P], graph: Graph, path: Path) -> Artefact:
    """Writes a network for a chip, whole or not at all.

    Raises: ChipError with all findings when there is an error; nothing is written then.
    """
    report, program = examine(chip, graph)
    if program is None:
        raise ChipError(f"nothing was written.\n{report}")
    return Artefact(path, save(chip, program, path), report)


def save(chip: Chip[P], program: P, path: Path) -> str:
    """Writes a program, whole or not at all; the SHA-256 of its content."""
    with written_aside(path) as aside:
        chip.write(program, aside)
    return digest(program.content())


def parity(
    chip: Chip[P],
    graph: Graph,
    x: Tensor,
    policy: Policy = "behavioural",
    *,
    tolerance: float = 0.0,
) -> ParityReport:
    """Compares a network with what the chip makes of it.

    Args:
        chip: a built component of kind ``chip``.
        graph: of the network, as traced.
        x: ``[T, N, *]``.
        policy, tolerance: as :func:`compare`.

    Raises: ChipError when the chip cannot run the network.
    """
    report, program = examine(chip, graph)
    if program is None:
        raise ChipError(str(report))
    source = run_source(graph, x)
    known = chip.layers(program)
    record = tuple(path for path in source.spikes if not known or path in known)
    return compare(source, chip.simulate(program, x, record), policy, tolerance=tolerance)
