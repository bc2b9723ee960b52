"""Counts of operations: of one layer, and of a network as a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass

from snncore.monitor.energy import MODELS, EnergyModel
from snncore.monitor.table import Report, short


@dataclass(frozen=True)
class Operations:
    """What was counted, over all time steps and items of the batch.

    Args:
        sops: synaptic operations: for every input spike, the synapses that it reaches.
        mac: multiply-accumulates.
        ac: accumulates; those of spikes are the synaptic operations.
        updates: neurons updated, once each per time step and item.
        comparisons: comparisons and selections (max pooling, ReLU, masks).
        dense: what ``sops`` or ``mac`` would be if no input were zero.
        weight_bytes: one weight read per synaptic operation or multiply-accumulate.
        state_bytes: each state read and written once per time step.
        activation_bytes: each input read and each output written once.
    """

    sops: int = 0
    mac: int = 0
    ac: int = 0
    updates: int = 0
    comparisons: int = 0
    dense: int = 0
    weight_bytes: int = 0
    state_bytes: int = 0
    activation_bytes: int = 0

    def __add__(self, other: Operations) -> Operations:
        return Operations(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def moved(self) -> int:
        """All bytes: traffic if nothing were kept near the arithmetic, in the tensors' dtypes."""
        return self.weight_bytes + self.state_bytes + self.activation_bytes

    def energy(self, model: EnergyModel) -> float:
        """Picojoule under ``model``."""
        return model.energy(self.mac, self.ac, self.updates, self.moved)


class OperationReport(Report, Mapping[str, Operations]):
    """Operations by path of the layer that did them; prints as a table with its caveats.

    What the counter has no rule for is in :attr:`uncounted`, by path, and never silently zero.

    Attributes:
        uncounted: names of operations or layers without a rule, by path.
        sample_steps: time steps times items that the network has taken.
        model: prices of the printed energies.
    """

    def __init__(self, model: EnergyModel) -> None:
        self.uncounted: dict[str, list[str]] = {}
        self.sample_steps = 0
        self.model = model
        self._counts: dict[str, Operations] = {}

    def add(self, path: str, operations: Operations) -> None:
        """Adds to what a layer has done."""
        self._counts[path] = self._counts.get(path, Operations()) + operations

    def miss(self, path: str, name: str) -> None:
        """Notes that something has no rule."""
        names = self.uncounted.setdefault(path, [])
        if name not in names:
            names.append(name)

    def __getitem__(self, path: str) -> Operations:
        if path not in self._counts:
            raise KeyError(f"no operation was counted at {path!r}; counted are {list(self)}")
        return self._counts[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def total(self) -> Operations:
        """Of the whole network."""
        return sum(self._counts.values(), Operations())

    def columns(self) -> Sequence[str]:
        """The head of the table."""
        return "layer", "SOP", "MAC", "AC", "updates", "comparisons", "dense", "bytes", "energy"

    def cells(self) -> Iterator[Sequence[object]]:
        """One row per layer, then the total."""
        for path, counted in (*self.items(), ("total", self.total)):
            o = counted
            numbers = (o.sops, o.mac, o.ac, o.updates, o.comparisons, o.dense, o.moved)
            energy = f"{short(o.energy(self.model) / 1e3)} nJ"
            yield path or ".", *map(short, numbers), energy

    def notes(self) -> Iterator[str]:
        """Prices, the network without time, what was not counted, and the caveat."""
        m, steps = self.model, max(self.sample_steps, 1)
        yield f"energy: {m.mac:g} pJ a MAC, {m.ac:g} pJ an AC, {m.byte:g} pJ a byte; {m.source}"
        each = self.total.energy(m) / steps
        plain = MODELS["int8"].energy(self.total.dense // steps, 0)
        yield (
            f"one time step of one item: {short(each / 1e3)} nJ; the layers' dense 8-bit MACs, "
            f"which a network without time does once per item: {short(plain / 1e3)} nJ"
        )
        for path, names in self.uncounted.items():
            yield f"not counted: {', '.join(names)} in {path or 'the network itself'}"
        yield m.caveat
