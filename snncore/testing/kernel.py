"""The test of a kernel written by hand: its torch reference at every shape, layout and dtype."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from snncore.kernels.kernel import Kernel
from snncore.testing.neuron.run import assert_tensor, outputs_of

Draw = Callable[..., Tensor]
_TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-12, torch.bfloat16: 1e-2, torch.float16: 2e-3}
# A grain of work per thread is 32768 elements; two threads share this.
_LARGE = (3, 30011)


def check(
    kernel: Kernel,
    *,
    values: Mapping[str, float] | None = None,
    draw: Draw = torch.randn,
    smooth: bool = True,
    device: str = "cpu",
) -> None:
    """Compares a kernel with its reference, forward and backward.

    Over shapes with empty and single dimensions, any number of steps, dtypes, memory layouts,
    numbers and tensors as parameters, initial states, and threads. Gradients are those of autograd
    through the reference and, in float64, finite differences of the kernel itself.

    Args:
        values: numbers for its parameters; tensors are drawn around them.
        draw: inputs and initial states, called as ``torch.randn`` is.
        smooth: whether finite differences are its gradients; not where it jumps or has a surrogate.
        device: where to run it; the test is skipped where nothing can.
    Raises: AssertionError that says what differs.
    """
    reason = kernel.missing(device)
    if reason is not None:
        pytest.skip(f"kernel {kernel.definition} cannot run on {device}: {reason}")
    subject = _Subject(kernel, dict(values or {}), draw, device)
    for dtype in _TOLERANCE:
        subject.compare((4, 3, 2), dtype)
    for shape in _shapes(kernel):
        subject.compare(shape, torch.float64)
    for what, layout in _LAYOUTS.items():
        subject.compare((5, 2, 3, 4, 6), torch.float64, layout, what)
    subject.compare(_LARGE, torch.float32)
    subject.threads()
    if kernel.definition.differentiable and smooth:
        subject.finite_differences()


def _shapes(kernel: Kernel) -> Iterator[tuple[int, ...]]:
    if not kernel.definition.states:
        yield ()
    for steps in (0, 1, 2, 70):
        yield (steps,)
        yield steps, 3
    yield from ((3, 0), (3, 0, 2), (3, 1, 1), (2, 5, 3, 1))


_LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "every second step": lambda x: x.repeat_interleave(2, 0)[::2],
    "every second element": lambda x: x.repeat_interleave(2, -1)[..., ::2],
    "channels last": lambda x: x.movedim(2, -1).contiguous().movedim(-1, 2),
    "time inside": lambda x: x.movedim(0, -1).contiguous().movedim(-1, 0),
    "one step repeated": lambda x: x[:1].expand_as(x),
    "another batch order": lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
}


class _Subject:
    def __init__(self, kernel: Kernel, values: dict[str, float], draw: Draw, device: str) -> None:
        self.kernel, self.values, self.draw, self.device = kernel, values, draw, device

    def compare(
        self,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        layout: Callable[[Tensor], Tensor] = lambda x: x,
        what: str = "contiguous",
    ) -> None:
        """Kernel and reference on the same values, with numbers and with tensors as parameters."""
        title = f"{self.kernel.definition}, shape {list(shape)}, {dtype}, {what}"
        # Half floats change loads and stores alone.
        for learned in (False,) if dtype.itemsize == 2 else (False, True):
            got, expected = (
                self._run(run, shape, dtype, layout, learned)
                for run in (self.kernel, self.kernel.plain)
            )
            assert got.keys() == expected.keys(), f"{title}: gradients of {list(got)}"
            for name, value in expected.items():
                # Sums over time and elements differ by the order of summation.
                rtol = _TOLERANCE[dtype] * (10 if name.startswith("gradient") else 1)
                scale = value.abs().max().item() if value.numel() else 0.0
                atol = rtol * scale if math.isfinite(scale) else rtol
                assert_tensor(got[name], value, f"{title}: {name}", (rtol, atol))

    def threads(self) -> None:
        """One thread and two give the same bits."""
        before = torch.get_num_threads()
        runs: list[dict[str, Tensor]] = []
        try:
            for count in (1, 2):
                torch.set_num_threads(count)
                runs.append(self._run(self.kernel, _LARGE, torch.float32, lambda x: x, False))
        finally:
            torch.set_num_threads(before)
        for name, value in runs[0].items():
            title = f"{self.kernel.definition}: {name} with two threads and with one"
            assert_tensor(runs[1][name], value, title)

    def finite_differences(self) -> None:
        """``torch.autograd.gradcheck`` of the kernel itself."""
        inputs, values = self._given((4, 2, 3), torch.float64, lambda x: x, True)
        names = list(values)

        def call(*tensors: Tensor) -> tuple[Tensor, ...]:
            rest = dict(zip(names, tensors[len(inputs) :], strict=True))
            return outputs_of(self.kernel(*tensors[: len(inputs)], **rest))

        torch.autograd.gradcheck(call, (*inputs, *values.values()))

    def _given(
        self,
        shape: tuple[int, ...],
        dtype: torch.dtype,
        layout: Callable[[Tensor], Tensor],
        learned: bool,
    ) -> tuple[list[Tensor], dict[str, Any]]:
        """Inputs, and parameters and initial states by name; leaves where gradients exist."""
        generator = torch.Generator().manual_seed(7)

        def drawn(size: tuple[int, ...], draw: Draw = self.draw) -> Tensor:
            wide = draw(size, generator=generator, dtype=torch.float64)
            return wide.to(self.device, dtype)

        own = self.kernel.definition
        inputs = {one: layout(drawn(shape)) for one in own.inputs}
        step = shape[1:] if own.states else shape
        values: dict[str, Any] = dict(self.values)
        if learned:
            for one, value in self.values.items():
                spread = drawn(step[-1:], torch.rand)
                values[one] = (value * (0.9 + 0.2 * spread)).requires_grad_(self._learns(one))
            for one in own.states:
                values[one] = drawn(step).requires_grad_(self._learns(one))
        leaves = [x.detach().requires_grad_(self._learns(one)) for one, x in inputs.items()]
        return leaves, values

    def _learns(self, name: str) -> bool:
        return name in self.kernel.definition.differentiable

    def _run(
        self,
        run: Callable[..., Any],
        shape: tuple[int, ...],
        dtype: torch.dtype,
        layout: Callable[[Tensor], Tensor],
        learned: bool,
    ) -> dict[str, Tensor]:
        """Results, and gradients of a fixed random weighting of them, by name."""
        inputs, values = self._given(shape, dtype, layout, learned)
        own = self.kernel.definition
        found = dict(
            zip((*own.outputs, *own.states), outputs_of(run(*inputs, **values)), strict=True)
        )
        leaves = dict(zip(own.inputs, inputs, strict=True))
        leaves |= {one: value for one, value in values.items() if isinstance(value, Tensor)}
        leaves = {one: value for one, value in leaves.items() if value.requires_grad}
        if not leaves:
            return found
        # Without a time step nothing depends on anything.
        reached = [y for y in found.values() if y.requires_grad]
        generator = torch.Generator().manual_seed(8)
        weights = [torch.randn(y.shape, generator=generator).to(y) for y in reached]
        grads: tuple[Tensor | None, ...] = (None,) * len(leaves)
        if reached:
            grads = torch.autograd.grad(reached, list(leaves.values()), weights, allow_unused=True)
        for (one, leaf), grad in zip(leaves.items(), grads, strict=True):
            found[f"gradient of {one}"] = torch.zeros_like(leaf) if grad is None else grad
        return {one: value.detach() for one, value in found.items()}
