"""A network on a chip, as the command line names it: a model, or a file that was exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import snncore as snn
from snncore import monitor
from snncore.chip import Chip, examine
from snncore.cli import samples, settings, weights
from snncore.cli.console import stderr
from snncore.cli.failure import CommandFailed, WrongUsage
from snncore.errors import ChipError, GraphError
from snncore.graph import Graph, Report, trace

HELP = "A model, as for 'snn export', or a file that it wrote."


@dataclass(frozen=True)
class Source:
    """A network by the words of the command line.

    Args:
        reference: model, file of a factory, or folder of a run.
        settings: parameters of the model.
        untrained: whether the network of a run has fresh weights.
    """

    reference: str
    settings: Mapping[str, Any]
    untrained: bool


@dataclass(frozen=True)
class Deployment:
    """What a chip runs.

    Args:
        chip: the exchange.
        program: in the chip's own numbers.
        graph: of the network; None where a file was read.
        x: input ``[T, N, *]``.
    """

    chip: Chip[Any]
    program: Any
    graph: Graph | None
    x: Any


def open_chip(name: str, words: Sequence[str] | None) -> Chip[Any]:
    """The exchange with a chip, built through the registry.

    Raises: UnknownComponent, ConfigError; WrongUsage for words that are no settings.
    """
    return snn.build("chip", name, **settings.parse(words or (), "--chip-set"))


def open_graph(source: Source, shape: str | None, x: Any = None) -> tuple[Graph, tuple[int, ...]]:
    """The graph of a network's time step, and the shape of its items.

    Args:
        source: which network.
        shape: word of ``--shape``.
        x: input ``[T, N, *]`` that tells the shape where neither word nor network does.
    """
    net = weights.open_trained(source.reference, source.settings, untrained=source.untrained)
    if source.reference.startswith("model:") and not source.untrained:
        stderr().print(f"{source.reference} has fresh weights; a run has trained ones")
    sizes = samples.item_shape(shape, _known(net, "in_shape", x), "this network")
    example = monitor.random_input(sizes, steps=None, batch=1, rate=0.0)
    try:
        return trace(net, example), sizes
    except GraphError as error:
        raise CommandFailed(
            f"{source.reference} has no graph for an input {list(example.shape)}: {error}; --shape "
            "gives another"
        ) from error


def lowered(chip: Chip[Any], graph: Graph) -> tuple[Report, Any]:
    """What a chip says of a network, and its program. Raises: ChipError for a refused network."""
    report, program = examine(chip, graph)
    if program is None:
        raise ChipError(str(report))
    return report, program


def deploy(
    chip: Chip[Any],
    source: Source,
    shape: str | None,
    given: Path | None,
    drawn: Mapping[str, float | None],
) -> Deployment:
    """Opens what a chip shall run, and its input.

    Args:
        chip: the exchange.
        source: a network, or an exported file.
        shape: word of ``--shape``.
        given: file with the input; random spikes if None.
        drawn: steps, batch, rate and seed of random spikes.

    Raises:
        WrongUsage: words that do not fit each other, and an input whose shape nobody knows.
        CommandFailed: an input that does not fit.
        ChipError: a network that the chip cannot run, or a file that is no program of it.
    """
    x = None
    if given is not None:
        samples.check_alone(**drawn)
        x = samples.read(given)
    graph = None
    if is_file(source.reference):
        if source.settings or source.untrained:
            raise WrongUsage(
                f"{source.reference} is an exported file, and --set and --untrained are of models; "
                "leave them out"
            )
        program = chip.read(Path(source.reference))
        known = _known(program, "input_shape", x)
        sizes = samples.item_shape(shape, known, source.reference)
    else:
        graph, sizes = open_graph(source, shape, x)
        _, program = lowered(chip, graph)
    if x is None:
        x = samples.random_spikes(sizes, **drawn)
    elif given is not None:
        samples.check_shape(x, sizes, given)
    _warn(chip, x)
    return Deployment(chip, program, graph, x)


def is_file(reference: str) -> bool:
    """Whether it names a file that was exported, not a network."""
    return Path(reference).is_file()


def _known(of: Any, attribute: str, x: Any) -> Sequence[int] | None:
    known = getattr(of, attribute, None)
    return x.shape[2:] if known is None and x is not None else known


def _warn(chip: Chip[Any], x: Any) -> None:
    record = chip.capabilities()
    others = int(((x != 0) & (x != 1)).sum())
    if record.spikes == "binary" and others:
        stderr().print(
            f"{others:,} of {x.numel():,} values of the input are neither 0 nor 1, and spikes of "
            f"{record.name} are"
        )
