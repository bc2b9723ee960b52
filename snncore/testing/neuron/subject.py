"""The neuron under test: what it declares, how it is made and driven."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
import torch

from snncore.step import StepMode
from snncore.testing.conformance import Conformance
from snncore.testing.neuron.run import Tensors, is_stateful

Variant = Mapping[str, Any]


class Subject(Conformance):
    """Capabilities of a neuron, and how the tests drive it.

    Attributes:
        shape: of one sample, so that inputs are ``[T, N, *shape]``.
        batch: N.
        steps: T.
        gain: inputs are uniform in ``[-gain / 4, gain]``; large enough to make it fire.
        spike_values: what the first output may hold; None for a neuron with analogue output.
        tolerance: (relative, absolute) of fast backends against eager.
        smooth: with a smooth surrogate, the neuron is differentiable everywhere it is driven.
        differentiable: gradients reach the inputs.
        exact_modes: single-step and multi-step runs give the same numbers.
        compiles: ``torch.compile(fullgraph=True)`` takes it.
        any_length: sequences of any length can be run; else all have ``steps``.
        through_time: gradients pass from one step to the next; else each step is trained by
            itself, and the states that a call leaves have no graph.
        reason: needed where one of the last six is False.
    """

    kind: ClassVar[str] = "neuron"
    shape: tuple[int, ...] = (3, 4)
    batch: int = 2
    steps: int = 6
    gain: float = 2.0
    spike_values: tuple[float, ...] | None = (0.0, 1.0)
    tolerance: tuple[float, float] = (1e-5, 1e-6)
    smooth: bool = True
    differentiable: bool = True
    exact_modes: bool = True
    compiles: bool = True
    any_length: bool = True
    through_time: bool = True

    _flags: ClassVar[tuple[str, ...]] = (
        *("smooth", "differentiable", "exact_modes", "compiles"),
        *("any_length", "through_time"),
    )

    def neuron(self, variant: Variant, **more: Any) -> Any:
        """A fresh neuron; equal ones for equal parameters."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.make(**{**variant, **more})

    def reference(self, variant: Variant, **more: Any) -> Any:
        """A fresh neuron on the eager backend, where numbers are compared exactly."""
        if "backend" in self.signature():
            more = {"backend": "eager", **more}
        return self.neuron(variant, **more)

    def representative(self, variant: Variant, **more: Any) -> Any:
        """A fresh neuron on the fastest backend, where it is of the first variant; else on eager.

        For tests that would compile kernels which no other test of the variant needs.
        """
        make = self.neuron if variant == self.variants[0] else self.reference
        return make(variant, **more)

    def smoothed(self, variant: Variant, **more: Any) -> Any:
        """A fresh float64 neuron whose surrogate is smooth in forward too."""
        net = self.reference(variant, **more, surrogate={"name": "sigmoid", "spiking": False})
        return net.double()

    def needs_smooth(self, variant: Variant) -> None:
        """Skips finite differences where the gradient is not the derivative, on purpose."""
        self.needs("differentiable")
        self.needs("smooth")
        self.needs_parameter("surrogate")
        if variant.get("detach_reset"):
            pytest.skip("detach_reset cuts part of the derivative; the plain loop covers it")

    def inputs(
        self,
        steps: int | None = None,
        *,
        batch: int | None = None,
        dtype: torch.dtype = torch.float32,
        seed: int = 1,
    ) -> Tensors:
        """Input sequences ``[T, N, *shape]``, the same for the same arguments.

        A neuron that takes one length only gets that.
        """
        generator = torch.Generator().manual_seed(seed)
        size = (
            self.steps if steps is None or not self.any_length else steps,
            self.batch if batch is None else batch,
            *self.shape,
        )
        count = getattr(self.target(), "inputs", 1)
        draws = [torch.rand(size, generator=generator, dtype=torch.float32) for _ in range(count)]
        return tuple((self.gain * (1.25 * draw - 0.25)).to(dtype) for draw in draws)

    def signature(self) -> Mapping[str, inspect.Parameter]:
        """The constructor's parameters."""
        return inspect.signature(self.target()).parameters

    def needs_parameter(self, name: str) -> None:
        """Skips a test about a constructor parameter that the neuron does not have."""
        if name not in self.signature():
            pytest.skip(f"{self.label} has no parameter {name!r}")

    def needs_mode(self, net: Any, *modes: StepMode) -> None:
        """Skips a test in a step mode that the neuron declares it cannot run in."""
        for mode in modes:
            if mode not in net.step_modes:
                pytest.skip(f"{self.label} declares step_modes = {net.step_modes}")

    def needs_state(self, net: Any) -> None:
        """Skips a test about state for a neuron that declares none."""
        if not is_stateful(net):
            pytest.skip(f"{self.label} declares no states")

    def mode(self, net: Any) -> StepMode:
        """Multi-step where the neuron can, else its only mode."""
        return "m" if "m" in net.step_modes else "s"
