"""What a chip can do, as data: its record is validated once and read by every check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Ge, Gt
from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

_DATA = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=False)
Granularity: TypeAlias = Literal["layer", "channel", "neuron"]
Topology: TypeAlias = Literal["sequential", "dag", "recurrent"]


@dataclass(frozen=True, config=_DATA)
class IntGrid:
    """Whole numbers from ``low`` to ``high`` in steps of ``step``.

    Example:
        >>> IntGrid(low=-256, high=254, step=2).bits
        9
    """

    low: int
    high: int
    step: Annotated[int, Gt(0)] = 1

    @model_validator(mode="after")
    def _ordered(self) -> IntGrid:
        if self.low > self.high:
            raise ValueError(f"low is {self.low}, above high, {self.high}")
        if self.low % self.step or self.high % self.step:
            raise ValueError(f"low and high must be multiples of the step, {self.step}")
        return self

    @property
    def bits(self) -> int:
        """Bits of a two's complement number that holds all of them, unsigned from 0 on."""
        signed = self.low < 0
        most = max(self.high, -self.low - 1)
        return most.bit_length() + signed

    def __str__(self) -> str:
        steps = f" in steps of {self.step}" if self.step > 1 else ""
        return f"{self.low} to {self.high}{steps}"


@dataclass(frozen=True, config=_DATA)
class FloatGrid:
    """Floating-point numbers of a format."""

    dtype: Literal["float16", "bfloat16", "float32"]

    def __str__(self) -> str:
        return self.dtype


Grid: TypeAlias = IntGrid | FloatGrid


@dataclass(frozen=True, config=_DATA)
class Between:
    """Numbers from ``low`` to ``high``, both allowed; None for no bound."""

    low: float | None = None
    high: float | None = None

    def allows(self, value: Any) -> bool:
        """Whether a number, or each of several, is within."""
        values = value if isinstance(value, (tuple, list)) else (value,)
        return all(
            isinstance(v, (int, float))
            and (self.low is None or v >= self.low)
            and (self.high is None or v <= self.high)
            for v in values
        )

    def __str__(self) -> str:
        if self.low is None:
            return "any" if self.high is None else f"at most {self.high:g}"
        if self.high is None:
            return f"at least {self.low:g}"
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, config=_DATA)
class OneOf:
    """One of a few values."""

    values: tuple[Any, ...]

    def allows(self, value: Any) -> bool:
        """Whether it is one of them; 0 is not False."""
        return any(value == v and type(value) is type(v) for v in self.values)

    def __str__(self) -> str:
        return " or ".join(map(str, self.values))


@dataclass(frozen=True, config=_DATA)
class Rule:
    """What may stand somewhere in a network.

    Args:
        parameters: allowed values by the name of the parameter; others may have any value.
        granularity: how finely numbers may differ within a layer (of neurons).
        why: where the rule comes from.
        fix: what to do where it is broken.
        fixes: the same for single parameters.
    """

    parameters: Mapping[str, Between | OneOf] = Field(default_factory=dict)
    granularity: Granularity = "neuron"
    why: str = ""
    fix: str = ""
    fixes: Mapping[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, config=_DATA)
class Limit:
    """How much of something fits.

    Args:
        value: the most.
        hard: whether the chip refuses more; else it is a published figure, and a warning.
        source: where the figure comes from.
    """

    value: Annotated[float, Ge(0)]
    hard: bool
    source: str


@dataclass(frozen=True, config=_DATA)
class Capabilities:
    """A chip as converters and checks see it.

    Args:
        name: of the chip.
        version: of this record.
        prefix: of the codes of findings, capital letters.
        ops: by the name of a graph operation (``Conv``), what may stand; others are refused.
        neurons: by registered name (``snn-neurons/lif``), what may stand; others are refused.
        refused: a fix for operations and neurons that are not there, by name.
        weight, bias, state: grids of their numbers; None for no bias.
        spikes: "binary" or "graded".
        topology: the most general form of a network.
        max_rank: axes of a tensor of one sample, at most.
        latency: steps from a layer's input to its output.
        limits: fan_in, neurons, synapses, cores, bytes.

    Raises: ValidationError of pydantic for values that make no sense.

    Example:
        >>> toy = Capabilities(
        ...     name="toy", version="1", prefix="TOY", ops={"Linear": Rule()},
        ...     neurons={"snn-neurons/if": Rule()}, weight=IntGrid(-127, 127),
        ... )
        >>> toy.topology, str(toy.weight)
        ('sequential', '-127 to 127')
    """

    name: Annotated[str, Field(min_length=1)]
    version: str
    prefix: Annotated[str, Field(pattern="^[A-Z][A-Z0-9]*$")]
    ops: Mapping[str, Rule]
    neurons: Mapping[str, Rule]
    weight: Grid
    refused: Mapping[str, str] = Field(default_factory=dict)
    bias: Grid | None = None
    state: Grid | None = None
    spikes: Literal["binary", "graded"] = "binary"
    topology: Topology = "sequential"
    max_rank: Annotated[int, Ge(1)] = 3
    latency: Annotated[int, Ge(0)] = 0
    limits: Mapping[Literal["fan_in", "neurons", "synapses", "cores", "bytes"], Limit] = Field(
        default_factory=dict
    )
