"""Wrong kernel backends are caught, NaN shows memory that nobody wrote."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch

from snncore.kernels.eager import EagerBackend, EagerKernel
from snncore.neuron import Neuron
from snncore.testing.neuron import NeuronConformance


class Integrator(Neuron):
    def charge(self, x, v):
        return v + x


class Exact(EagerBackend):
    priority: ClassVar[int] = -1


class LateKernel(EagerKernel):
    """Its through-time run resets one step late."""

    def sequence(self, inputs, states, record):
        outputs, states, recorded = super().sequence(inputs, states, record)
        return tuple(y.roll(1, 0) for y in outputs), states, recorded


class Late(Exact):
    def compile(self, plan):
        return LateKernel(plan.module)


class LazyKernel(EagerKernel):
    """Allocates its output and forgets to write the last time step."""

    def sequence(self, inputs, states, record):
        (y,), states, recorded = super().sequence(inputs, states, record)
        out = torch.empty(y.shape)
        out[:-1] = y[:-1]
        return (out + 0 * y,), states, recorded


class Lazy(Exact):
    def compile(self, plan):
        return LazyKernel(plan.module)


class Absent(Exact):
    def available(self):
        return "no such device"


class Unwilling(Exact):
    def supports(self, plan):
        return "no such step"


@pytest.fixture
def run_on(adopt):
    def run(backend: type) -> None:
        also = [("backend", "other", f"{__name__}:{backend.__name__}")]
        kit = adopt(NeuronConformance, Integrator, also=also)
        kit.test_backend_equals_eager({}, "mutants/other", None)

    return run


def test_an_exact_backend_passes(run_on, nan_empty):
    run_on(Exact)


def test_a_wrong_backend_is_caught(run_on):
    with pytest.raises(AssertionError, match=r"on mutants/other, step_mode 'm', against eager"):
        run_on(Late)


def test_memory_that_nobody_wrote_is_caught(run_on, nan_empty):
    with pytest.raises(AssertionError, match=r"output 0 differs.*(?s:.*)nan"):
        run_on(Lazy)


def test_a_backend_that_cannot_run_is_skipped_with_its_reason(run_on):
    with pytest.raises(pytest.skip.Exception, match="other is not available: no such device"):
        run_on(Absent)
    with pytest.raises(pytest.skip.Exception, match=r"does not support neuron.*no such step"):
        run_on(Unwilling)


@pytest.mark.parametrize(
    "allocate",
    [
        lambda: torch.empty(3),
        lambda: torch.empty(2, 2, requires_grad=True),
        lambda: torch.empty_like(torch.zeros(3)),
        lambda: torch.empty_strided((3,), (1,)),
        lambda: torch.zeros(()).new_empty(3),
        lambda: torch.zeros(()).new_empty_strided((3,), (1,)),
    ],
)
def test_nan_empty_poisons_every_allocation(nan_empty, allocate):
    assert allocate().isnan().all()


def test_nan_empty_leaves_integers_alone(nan_empty):
    assert torch.empty(3, dtype=torch.int64).shape == (3,)
