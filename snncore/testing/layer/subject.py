"""The layer under test: what it declares, how an example is built, fed and run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

import snncore
from snncore.step import StepMode, StepModule
from snncore.testing.conformance import Conformance
from snncore.testing.neuron.run import Run, Tensors, run

Variant = Mapping[str, Any]

BOTH: tuple[StepMode, ...] = ("s", "m")


class Subject(Conformance):
    """Capabilities of a layer, and how the tests drive it.

    Attributes:
        shape: of one sample, so that inputs are ``[T, N, *shape]``.
        batch: N.
        steps: T.
        arity: how many inputs of that shape it takes.
        gain: inputs are normal with this standard deviation.
        feed: ``(size, generator) -> inputs`` of leading size ``(T, N)``, where they are no normal
            floats of ``shape``.
        example: ``(**variant) -> layer``, where plain parameters cannot say what a container holds.
        time_axis: the axis of time in its sequences, 0 or -1.
        tolerance: (relative, absolute) in float64, of one way of running against another.
        exact_modes: single steps give the numbers of multi-step mode.
        exact_in_training: they do in training too.
        any_length: it takes sequences of any length, and in pieces.
        empty: T = 0 and N = 0 pass.
        half: it runs in bfloat16 on the CPU.
        differentiable: gradients reach floating-point inputs and all parameters.
        configurable: its configuration is plain data.
        reason: needed where one of the last seven is False, or it runs in one step mode only.
    """

    kind: ClassVar[str] = "layer"
    shape: tuple[int, ...] = (4, 6)
    batch: int = 3
    steps: int = 5
    arity: int = 1
    gain: float = 1.0
    feed: Callable[..., Any] | None = None
    example: Callable[..., Any] | None = None
    time_axis: int = 0
    tolerance: tuple[float, float] = (1e-9, 1e-10)
    exact_modes: bool = True
    exact_in_training: bool = True
    any_length: bool = True
    empty: bool = True
    half: bool = True
    differentiable: bool = True
    configurable: bool = True

    _flags: ClassVar[tuple[str, ...]] = (
        "exact_modes",
        "exact_in_training",
        "any_length",
        "empty",
        "half",
        "differentiable",
        "configurable",
    )

    def make(self, **params: Any) -> Any:
        """A fresh layer: its own example, or built by name."""
        return super().make(**params) if self.example is None else self.example(**params)

    def layer(self, variant: Variant, *, train: bool = False, wide: bool = True) -> Any:
        """A fresh layer, in float64 unless told otherwise; equal ones for equal arguments."""
        with seeded(0):
            made = self.make(**variant)
        made.train(train)
        net = made if self.time_axis == 0 else TimeFirst(made)
        return net.double() if wide else net

    def inputs(
        self,
        steps: int | None = None,
        *,
        batch: int | None = None,
        dtype: torch.dtype = torch.float64,
        seed: int = 1,
    ) -> Tensors:
        """Input sequences ``[T, N, *shape]``, the same for the same arguments."""
        generator = torch.Generator().manual_seed(seed)
        size = self.steps if steps is None else steps, self.batch if batch is None else batch
        if self.feed is None:
            full = (*size, *self.shape)
            found: Any = tuple(
                self.gain * torch.randn(full, generator=generator) for _ in range(self.arity)
            )
        else:
            found = self.feed(size, generator)
        given = found if isinstance(found, tuple) else (found,)
        return tuple(x.to(dtype) if x.is_floating_point() else x for x in given)

    def play(
        self,
        net: Any,
        inputs: Tensors,
        mode: StepMode,
        *,
        chunks: Sequence[int] = (),
        gradients: bool = False,
    ) -> Run:
        """A run from the initial state; what is random is drawn from the same seed each time."""
        with seeded(3):
            return run(net, inputs, mode, chunks=chunks, gradients=gradients)

    def mode(self, net: Any) -> StepMode:
        """Multi-step where the layer can, else its only mode."""
        return "m" if "m" in modes_of(net) else "s"

    def needs_modes(self, net: Any, *modes: StepMode) -> None:
        """Skips a test in a step mode that the layer declares it cannot run in."""
        for mode in modes:
            if mode not in modes_of(net):
                pytest.skip(f"{self.label} declares step_modes = {modes_of(net)}: {self.reason}")

    def needs_state(self, net: Any) -> None:
        """Skips a test about state for a layer that keeps none."""
        if not any(True for _ in snncore.memories(net)):
            pytest.skip(f"{self.label} declares no states")


class TimeFirst(nn.Module):
    """A layer with time on another axis, as the tests drive it: with time first."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *inputs: Tensor) -> Tensor:
        """``[T, N, *] -> [T, N, *]``."""
        return self.layer(*(x.movedim(0, -1) for x in inputs)).movedim(-1, 0)


def bare(net: Any) -> Any:
    """The layer itself."""
    return net.layer if isinstance(net, TimeFirst) else net


def modes_of(net: Any) -> tuple[StepMode, ...]:
    """The step modes that a layer can run in; one that has none runs as what it holds."""
    layer = bare(net)
    return layer.step_modes if isinstance(layer, StepModule) else BOTH


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside a ``with`` block torch draws from this seed; outside it goes on as before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
