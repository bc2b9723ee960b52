"""Firing rates, and neurons that never fire or always do."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from snncore.monitor.aggregate import Rate
from snncore.monitor.records import Records
from snncore.monitor.table import Report


@dataclass(frozen=True)
class FiringRow:
    """How the neurons of one layer fire.

    Args:
        neurons: how many.
        rate: share of neurons that fire in a time step.
        silent: share of neurons that fired at no step of any item ("dead").
        saturated: share of neurons that fired at every step of every item.
    """

    neurons: int
    rate: float
    silent: float
    saturated: float


class FiringReport(Report, Mapping[str, FiringRow]):
    """Firing of the layers by path; prints as a table. Made by :class:`Firing`."""

    def __init__(self, rates: Records) -> None:
        self._rates = rates

    def __getitem__(self, path: str) -> FiringRow:
        rate = self._rates[path]
        return FiringRow(
            rate.numel(),
            rate.mean().item(),
            (rate == 0).double().mean().item(),
            (rate == 1).double().mean().item(),
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._rates)

    def __len__(self) -> int:
        return len(self._rates)

    def columns(self) -> Sequence[str]:
        """The head of the table."""
        return "layer", "neurons", "rate", "silent", "saturated"

    def cells(self) -> Iterator[Sequence[object]]:
        """One row per layer."""
        for path, row in self.items():
            shares = (f"{share:.2%}" for share in (row.rate, row.silent, row.saturated))
            yield path or ".", row.neurons, *shares


@dataclass(frozen=True, kw_only=True)
class Firing:
    """Firing rate, silent and saturated neurons of every neuron layer, over all that runs.

    r_i = 1/(T N) sum over t and n of [S_i[t, n] != 0];  rate = mean of r_i,
    silent = share of neurons i with r_i = 0,  saturated = share of those with r_i = 1

    Its memory is one count per neuron, however long it watches.

    Args:
        paths: pattern or patterns of module paths; every neuron by default.
    Shape: a :class:`FiringRow` by module path.
    Raises: ConfigError when no module fits.

    Example:
        >>> from snncore.layers import Identity
        >>> net = Identity()
        >>> with Firing(paths="").watch(net) as report:
        ...     y = net(torch.tensor([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]]))
        >>> report[""]
        FiringRow(neurons=3, rate=0.5, silent=0.3333333333333333, saturated=0.3333333333333333)

    Source: firing rate of SpikingJelly (Science Advances 2023), Fig. 3d; the shares are ours.
    """

    conformance: ClassVar[dict[str, Any]] = {
        "transforms": False,
        "reason": "a report of rates, not a record of values",
    }
    paths: str | Sequence[str] | None = None

    @contextmanager
    def watch(self, net: nn.Module) -> Generator[FiringReport]:
        """Reports what runs inside the ``with`` block."""
        with Rate(paths=self.paths).watch(net) as rates:
            yield FiringReport(rates)
