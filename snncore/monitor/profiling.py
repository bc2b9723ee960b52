"""Layer by layer: time, parameters, shapes, firing, operations, memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from snncore.monitor.aggregate import Rate
from snncore.monitor.counter import OperationCounter
from snncore.monitor.hooks import Site
from snncore.monitor.operations import OperationReport, Operations
from snncore.monitor.table import Report, short
from snncore.neuron import Neuron
from snncore.registry import label
from snncore.state.walks import reset


@dataclass(frozen=True)
class ProfileRow:
    """One layer, or the network itself under ``""``.

    Args:
        path, layer: where and what it is.
        milliseconds: mean wall time of all its calls in one run, with what is inside.
        parameters: numbers it holds itself, and ``parameter_bytes`` their size.
        output: shape of its last output, ``[T, N, *]``.
        rate: share of its neurons that fire in a time step; None for what is no neuron.
        operations: of one run.
    """

    path: str
    layer: str
    milliseconds: float
    parameters: int
    parameter_bytes: int
    output: tuple[int, ...]
    rate: float | None
    operations: Operations


class Profile(Report):
    """What :func:`profile` measured; prints as a table.

    Attributes:
        rows: one per layer that ran, the network itself first.
        operations: the counts with what was not counted, their energies and caveats.
    """

    def __init__(self, rows: Sequence[ProfileRow], operations: OperationReport) -> None:
        self.rows = tuple(rows)
        self.operations = operations

    def columns(self) -> Sequence[str]:
        """The head of the table."""
        numbers = ("ms", "parameters", "output", "rate", "SOP", "MAC", "AC", "updates", "bytes")
        return "path", "layer", *numbers

    def cells(self) -> Iterator[Sequence[object]]:
        """One row per layer."""
        for row in self.rows:
            o = row.operations
            counts = (short(n) for n in (o.sops, o.mac, o.ac, o.updates, o.moved))
            rate = "" if row.rate is None else f"{row.rate:.2%}"
            time = f"{row.milliseconds:.3g}"
            yield row.path or ".", row.layer, time, row.parameters, list(row.output), rate, *counts

    def notes(self) -> Iterator[str]:
        """Those of the operations."""
        return iter(self.operations.notes())


def profile(net: nn.Module, x: Tensor, *, repeats: int = 5, energy: str = "float32") -> Profile:
    """Runs a network on ``x`` and says what each of its layers does.

    The state of ``net`` is reset before and after each run; its mode and its gradients are left
    alone. Operations and firing are those of one run with the real input, times the mean of
    ``repeats`` further ones without gradient, after a first one that builds kernels.

    Args:
        net: any network.
        x: its input, ``[N, *]`` or ``[T, N, *]`` as its step mode says.
        repeats: timed runs.
        energy: model of :data:`snncore.monitor.MODELS`.
    Raises: ValueError unless ``repeats`` is positive; as the network itself for a wrong ``x``.

    Example:
        >>> found = profile(nn.Sequential(nn.Linear(3, 2)), torch.ones(1, 3), repeats=1)
        >>> [(row.path, row.parameters, row.operations.sops) for row in found.rows]
        [('', 0, 6), ('0', 8, 6)]
    """
    if repeats < 1:
        raise ValueError(f"profile needs at least one timed run, got repeats={repeats}")
    with torch.no_grad():
        reset(net)
        with OperationCounter(energy=energy).watch(net) as counted:
            net(x)
        rates = _rates(net, x)
        clock = _Clock(net)
        with clock.stack:
            for _ in range(repeats):
                reset(net)
                net(x)
        reset(net)
    rows = [
        _row(path, module, clock, rates, counted, repeats)
        for path, module in net.named_modules()
        if path in clock.seconds
    ]
    return Profile(rows, counted)


def random_input(
    shape: Sequence[int], *, steps: int | None, batch: int, rate: float | None, seed: int = 0
) -> Tensor:
    """Something to run a network on: ``[T, N, *shape]``, or ``[N, *shape]`` without ``steps``.

    Args:
        rate: share of ones among zeros; None for numbers spread evenly over [0, 1).

    Example:
        >>> random_input([3], steps=4, batch=2, rate=1.0).sum()
        tensor(24.)
    """
    generator = torch.Generator().manual_seed(seed)
    lead = (batch,) if steps is None else (steps, batch)
    drawn = torch.rand((*lead, *shape), generator=generator)
    return drawn if rate is None else (drawn < rate).float()


def _row(
    path: str,
    module: nn.Module,
    clock: _Clock,
    rates: dict[str, float],
    counted: OperationReport,
    repeats: int,
) -> ProfileRow:
    own = list(module.parameters(recurse=False))
    operations = counted.get(path, Operations()) if path else counted.total
    return ProfileRow(
        path,
        label(module),
        1e3 * clock.seconds[path] / repeats,
        sum(p.numel() for p in own),
        sum(p.numel() * p.element_size() for p in own),
        clock.shapes.get(path, ()),
        rates.get(path),
        operations,
    )


def _rates(net: nn.Module, x: Tensor) -> dict[str, float]:
    if not any(isinstance(module, Neuron) for module in net.modules()):
        return {}
    reset(net)
    with Rate(over="all").watch(net) as rates:
        net(x)
    return {path: rate.item() for path, rate in rates.items()}


class _Clock:
    """Wall time of each module's calls, under its first path."""

    def __init__(self, net: nn.Module) -> None:
        self.seconds: dict[str, float] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.stack = ExitStack()
        site = Site(net, self.stack)
        for path, module in net.named_modules():
            self._attach(site, path, module)

    def _attach(self, site: Site, path: str, module: nn.Module) -> None:
        begun: list[float] = []

        def before(_: tuple[Any, ...]) -> None:
            begun.append(_now())

        def after(_: tuple[Any, ...], output: Any) -> None:
            self.seconds[path] = self.seconds.get(path, 0.0) + _now() - begun.pop()
            first = output[0] if isinstance(output, (tuple, list)) and output else output
            if isinstance(first, Tensor):
                self.shapes[path] = tuple(site.time_first(module, first.shape))

        site.before(module, before)
        site.after(module, after, always=True)


def _now() -> float:
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return perf_counter()
