"""Streaming aggregates: a probe that folds what it sees at once and never keeps the sequence.

Their memory does not grow with time or with the number of batches. Over ``"batch"`` it is one
number per neuron (two for means), over ``"time"`` one per neuron and item of the batch, over
``"all"`` one per layer; a histogram is its bins.
"""

# Not `from __future__ import annotations`: as in probe.py.

from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snncore.errors import ConfigError
from snncore.monitor.hooks import Site
from snncore.monitor.probe import (
    Attribute,
    GradInput,
    GradOutput,
    Input,
    Monitor,
    Output,
    Record,
)
from snncore.monitor.records import Memory

Source = Literal["input", "output", "grad_input", "grad_output", "v_seq"]
Over = Literal["time", "batch", "all"]

_DIMS = {"time": (0,), "batch": (0, 1)}


@dataclass(frozen=True, kw_only=True)
class Aggregate(Monitor):
    """What all aggregates share.

    Args:
        of: what is folded, as the probe of that name sees it; ``"v_seq"`` is the potential of
            neurons after each time step.
        over: ``"time"`` folds time steps and gives ``[N, *]``; ``"batch"`` folds the batch, too,
            and gives ``[*]``; ``"all"`` gives one number.
    Further args are those of :class:`Monitor`.
    Raises: ConfigError for ``detach=False``, and when ``over="time"`` meets another batch size.
    """

    of: Source = "output"
    over: Over = "batch"

    def __post_init__(self) -> None:
        if not self.detach:
            raise ConfigError(
                f"{type(self).__name__} keeps no sequence and so no graph; leave detach=True, or "
                "use a probe such as Output(detach=False)"
            )

    def attach(self, module: nn.Module, site: Site, stack: ExitStack, record: Record) -> None:
        """As the probe whose values are folded."""
        if self.of == "v_seq":
            Attribute("v_seq").attach(module, site, stack, record)
        else:
            _PROBES[self.of](index=self.index).attach(module, site, stack, record)

    def dims(self, steps: Tensor) -> tuple[int, ...]:
        """The dimensions of ``[T, N, *]`` to fold."""
        every = tuple(range(steps.dim()))
        return tuple(d for d in _DIMS.get(self.over, every) if d in every)


_PROBES: dict[str, type[Input | Output | GradInput | GradOutput]] = {
    "input": Input,
    "output": Output,
    "grad_input": GradInput,
    "grad_output": GradOutput,
}


class _Fold(ABC):
    """The part of a :class:`Memory` that all aggregates share: values come in any order."""

    def __init__(self, monitor: Aggregate) -> None:
        self.monitor = monitor
        self.held: Tensor | None = None
        self.count = 0

    def reserve(self) -> int:
        return 0

    def put(self, slot: int, value: Tensor) -> None:
        if not value.numel():
            return
        dims = self.monitor.dims(value)
        folded = self.fold(value, dims)
        self.count += value.numel() // max(folded.numel(), 1)
        if self.held is None:
            self.held = folded
        elif self.held.shape == folded.shape:
            self.held = self.join(self.held, folded)
        else:
            raise ConfigError(
                f"an aggregate over {self.monitor.over!r} holds {list(self.held.shape)} and got "
                f"{list(folded.shape)}; watch anew, or aggregate over 'batch' or 'all'"
            )

    def result(self) -> Tensor | None:
        return self.held

    @abstractmethod
    def fold(self, value: Tensor, dims: tuple[int, ...]) -> Tensor:
        """What is kept of a value."""

    def join(self, held: Tensor, new: Tensor) -> Tensor:
        return held + new


class _Sum(_Fold):
    def fold(self, value: Tensor, dims: tuple[int, ...]) -> Tensor:
        # Half floats and long sequences: a float32 sum would stop growing.
        return value.double().sum(dims)


class _Average(_Sum):
    def result(self) -> Tensor | None:
        return None if self.held is None else self.held / self.count


class _Spikes(_Fold):
    def fold(self, value: Tensor, dims: tuple[int, ...]) -> Tensor:
        return (value != 0).sum(dims)


class _Share(_Spikes):
    def result(self) -> Tensor | None:
        return None if self.held is None else self.held.double() / self.count


class _Largest(_Fold):
    def fold(self, value: Tensor, dims: tuple[int, ...]) -> Tensor:
        return value.amax(dims) if dims else value.clone()

    def join(self, held: Tensor, new: Tensor) -> Tensor:
        return torch.maximum(held, new)


@dataclass(frozen=True, kw_only=True)
class Mean(Aggregate):
    """Mean of what passes, in float64.

    R = 1/(T N) sum over t and n of Y[t, n]  (``over="batch"``)

    Args are those of :class:`Aggregate`.
    Shape: records [N, *] over "time", [*] over "batch", [] over "all".

    Example:
        >>> net = nn.Sequential(nn.Identity())
        >>> with Mean(paths="0").watch(net) as records:
        ...     y = net(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        >>> records["0"].tolist()
        [2.0, 3.0]

    Source: SpikingJelly (Science Advances 2023), Fig. 3d, for what is seen; the running form is
        ours.
    """

    def memory(self) -> Memory:
        """Sums and a count."""
        return _Average(self)


@dataclass(frozen=True, kw_only=True)
class Max(Aggregate):
    """Largest value that passes; NaN once there was one.

    R = max over t and n of Y[t, n]  (``over="batch"``)

    Args are those of :class:`Aggregate`.
    Shape: records [N, *] over "time", [*] over "batch", [] over "all".
    Source: SpikingJelly (Science Advances 2023), Fig. 3d, for what is seen; the running form is
        ours.
    """

    def memory(self) -> Memory:
        """The largest so far."""
        return _Largest(self)


@dataclass(frozen=True, kw_only=True)
class Count(Aggregate):
    """How many values are not zero: spikes, as int64.

    R = sum over t and n of [Y[t, n] != 0]  (``over="batch"``)

    Args are those of :class:`Aggregate`.
    Shape: records [N, *] over "time", [*] over "batch", [] over "all".
    Source: SpikingJelly (Science Advances 2023), Fig. 3d, for what is seen; the running form is
        ours.
    """

    def memory(self) -> Memory:
        """Counts."""
        return _Spikes(self)


@dataclass(frozen=True, kw_only=True)
class Rate(Aggregate):
    """Share of the time steps with a spike (a value other than zero), in [0, 1], as float64.

    R = 1/(T N) sum over t and n of [Y[t, n] != 0]  (``over="batch"``)

    Args are those of :class:`Aggregate`.
    Shape: records [N, *] over "time", [*] over "batch", [] over "all".
    Source: firing rate of SpikingJelly (Science Advances 2023), Fig. 3d.
    """

    def memory(self) -> Memory:
        """Counts, and how many steps they were counted in."""
        return _Share(self)


class _Bins(_Fold):
    def __init__(self, monitor: "Histogram") -> None:
        super().__init__(monitor)
        self.edges = torch.linspace(
            monitor.low, monitor.high, monitor.bins + 1, dtype=torch.float64
        )

    def fold(self, value: Tensor, dims: tuple[int, ...]) -> Tensor:
        edges = self.edges.to(value.device)
        # The last bin holds its upper edge, too, as in NumPy.
        places = torch.bucketize(value.double().flatten(), edges, right=True)
        places[value.double().flatten() == edges[-1]] = len(edges) - 1
        return torch.bincount(places, minlength=len(edges) + 1)


@dataclass(frozen=True, kw_only=True)
class Histogram(Aggregate):
    """How often values fall into bins, ``[bins + 2]``, int64.

    R[k] = number of values Y with low + (k - 1) d <= Y < low + k d,  d = (high - low) / bins

    The first count is of values below ``low``, the last of values above ``high`` and of NaN; the
    bins between have equal width and hold their lower edge, the last of them its upper one, too.
    Neurons, time and batch all go into one histogram per layer, whatever ``over`` says.

    Args:
        low: lower edge of the first bin.
        high: upper edge of the last bin.
        bins: how many.
    Further args are those of :class:`Aggregate`.
    Shape: records [bins + 2].
    Raises: ValueError unless ``low < high``.

    Example:
        >>> net = nn.Sequential(nn.Identity())
        >>> with Histogram(paths="0", low=0.0, high=2.0, bins=2).watch(net) as records:
        ...     y = net(torch.tensor([[-1.0, 0.5, 0.5, 2.0]]))
        >>> records["0"].tolist()
        [1, 2, 1, 0]

    Source: SpikingJelly (Science Advances 2023), Fig. 3d, for what is seen; the running form is
        ours.
    """

    low: float = 0.0
    high: float = 1.0
    bins: Annotated[int, Gt(0)] = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low < self.high:
            raise ValueError(
                f"Histogram: low must be below high, got low={self.low:g} and high={self.high:g}"
            )

    def memory(self) -> Memory:
        """The bins."""
        return _Bins(self)
