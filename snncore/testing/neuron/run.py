"""One run of a neuron over a sequence, with its gradients, and the comparison of two runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.testing import assert_close

import snncore
from snncore.state import MemoryModule
from snncore.step import StepMode

Tensors = tuple[Tensor, ...]


@dataclass(frozen=True)
class Run:
    """Output sequences ``[T, N, *]``, final states, and gradients by name.

    Gradients are those of a fixed random weighting of all outputs and final states.
    """

    outputs: Tensors
    states: dict[str, Tensor]
    gradients: dict[str, Tensor | None] = field(default_factory=dict[str, "Tensor | None"])


def run(
    net: Any,
    inputs: Tensors,
    mode: StepMode = "m",
    *,
    chunks: Sequence[int] = (),
    gradients: bool = False,
) -> Run:
    """Runs ``net`` from its initial state over ``inputs`` ``[T, N, *]``.

    Args:
        net: the neuron.
        inputs: one sequence per input.
        mode: one call per time step (``"s"``), or one for all.
        chunks: lengths of the pieces in which mode ``"m"`` passes the sequence on.
        gradients: whether to compute gradients of inputs and parameters.
    """
    snncore.reset(net)
    snncore.set_step_mode(net, mode)
    if gradients:
        inputs = tuple(x.detach().clone().requires_grad_(x.is_floating_point()) for x in inputs)
    outputs = _stepped(net, inputs) if mode == "s" else _whole(net, inputs, chunks)
    states = held(net)
    return Run(outputs, states, gradients_of(net, inputs, outputs, states) if gradients else {})


def held(net: Any) -> dict[str, Tensor]:
    """The states that ``net`` holds now, by ``path.name``."""
    return {
        f"{path}.{name}".lstrip("."): value
        for path, name, value in snncore.memories(net)
        if value is not None
    }


def gradients_of(
    net: Any, inputs: Tensors, outputs: Tensors, states: dict[str, Tensor]
) -> dict[str, Tensor | None]:
    """Gradients of the weighted sum of ``outputs`` and ``states``, by input and parameter."""
    leaves = {f"input {i}": x for i, x in enumerate(inputs) if x.is_floating_point()}
    leaves.update(net.named_parameters())
    generator = torch.Generator().manual_seed(2)
    loss = torch.zeros((), dtype=torch.float64)
    for value in (*outputs, *states.values()):
        weight = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        loss = loss + (value.double() * weight.to(value.device)).sum().cpu()
    found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    return dict(zip(leaves, found, strict=True))


def assert_same(
    got: Run, expected: Run, what: str, tolerance: tuple[float, float] = (0.0, 0.0)
) -> None:
    """Raises AssertionError naming ``what`` and the first thing that differs.

    Gradients never differ by less than their order of summation, so they are compared within
    1e-5 at least.
    """
    loose = max(tolerance[0], 1e-5), max(tolerance[1], 1e-6)
    assert len(got.outputs) == len(expected.outputs), f"{what}: another number of outputs"
    for i, (a, b) in enumerate(zip(got.outputs, expected.outputs, strict=True)):
        assert_tensor(a, b, f"{what}: output {i}", tolerance)
    assert got.states.keys() == expected.states.keys(), f"{what}: other states"
    for name, value in expected.states.items():
        assert_tensor(got.states[name], value, f"{what}: state {name}", tolerance)
    assert got.gradients.keys() == expected.gradients.keys(), f"{what}: other gradients"
    for name, value in expected.gradients.items():
        found = got.gradients[name]
        assert (found is None) == (value is None), (
            f"{what}: the gradient of {name} is {'None' if found is None else 'present'}, "
            f"expected {'None' if value is None else 'one'}"
        )
        if found is not None and value is not None:
            assert_tensor(found, value, f"{what}: gradient of {name}", loose)


def assert_tensor(
    got: Tensor, expected: Tensor, what: str, tolerance: tuple[float, float] = (0.0, 0.0)
) -> None:
    """Raises AssertionError that begins with ``what`` unless shape, dtype and values agree."""
    rtol, atol = tolerance
    assert_close(got, expected, rtol=rtol, atol=atol, msg=lambda text: f"{what} differs: {text}")


def outputs_of(y: Any) -> Tensors:
    """What a module returned, as a tuple."""
    return y if isinstance(y, tuple) else (y,)


def is_stateful(net: Any) -> bool:
    """Whether ``net`` is a module with declared states."""
    return isinstance(net, MemoryModule) and bool(net.states)


def _stepped(net: Any, inputs: Tensors) -> Tensors:
    steps = [outputs_of(net(*now)) for now in zip(*(x.unbind(0) for x in inputs), strict=True)]
    return tuple(torch.stack(values) for values in zip(*steps, strict=True))


def _whole(net: Any, inputs: Tensors, chunks: Sequence[int]) -> Tensors:
    if not chunks:
        return outputs_of(net(*inputs))
    pieces = zip(*(x.split(list(chunks)) for x in inputs), strict=True)
    parts = [outputs_of(net(*piece)) for piece in pieces]
    return tuple(torch.cat(values) for values in zip(*parts, strict=True))
