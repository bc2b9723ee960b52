"""Every backend, torch.compile and torch.func against eager."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch

import snncore
from snncore import registry
from snncore.kernels.backends import Plan
from snncore.testing.neuron.run import Run, assert_same, assert_tensor, held, outputs_of, run
from snncore.testing.neuron.subject import Subject, Variant


class Backends(Subject):
    """Whoever runs the step, the numbers are those of eager."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Beside the variants: one run per installed backend."""
        super().pytest_generate_tests(metafunc)
        if "backend" in metafunc.fixturenames:
            names = [component.qualified for component in registry.components("backend")]
            metafunc.parametrize("backend", names)

    def test_backend_equals_eager(self, variant: Variant, backend: str, nan_empty: None) -> None:
        """Outputs, states and gradients in both modes; uninitialised memory holds NaN."""
        self.needs_parameter("backend")
        device, net = self._on_backend(variant, backend)
        inputs = tuple(x.to(device) for x in self.inputs())
        for mode in net.step_modes:
            assert_same(
                run(net, inputs, mode, gradients=self.differentiable),
                run(
                    self.reference(variant).to(device),
                    inputs,
                    mode,
                    gradients=self.differentiable,
                ),
                f"{self.label} on {backend}, step_mode {mode!r}, against eager",
                self._tolerance(device),
            )

    def _tolerance(self, device: torch.device) -> tuple[float, float]:
        if device.type == "cpu":
            return self.tolerance
        # torch divides by a number there by multiplying with its reciprocal.
        relative, absolute = self.tolerance
        return max(relative, 1e-6), max(absolute, 1e-6)

    def _on_backend(self, variant: Variant, name: str) -> tuple[torch.device, Any]:
        backend = registry.get("backend", name)()
        reason = backend.available()
        if reason is not None:
            pytest.skip(f"backend {name} is not available: {reason}")
        for device in ("cuda", "cpu"):
            if device == "cuda" and not torch.cuda.is_available():
                continue
            net = self.neuron(variant, backend=name).to(device)
            (x, *_) = self.inputs()
            reason = backend.supports(Plan.of(net, x.to(device)))
            if reason is None:
                return torch.device(device), net
        pytest.skip(f"backend {name} does not support {self.label}: {reason}")

    @pytest.mark.parametrize("grad", [True, False], ids=["grad", "no_grad"])
    def test_compiles_without_graph_break(self, grad: bool) -> None:
        """Outputs, carried state and gradients of ``torch.compile(fullgraph=True)``."""
        self.needs("compiles")
        # Dynamo counts compilations of one function over all neurons of the process, and gives up
        # at the ninth.
        torch.compiler.reset()
        variant = self.variants[0]
        net, plain = self.reference(variant), self.reference(variant)
        for module in (net, plain):
            snncore.set_step_mode(module, self.mode(module))
        (inputs, reference) = (self._first_call(net), self._first_call(net))
        tracked = grad and self.differentiable
        with warnings.catch_warnings(), torch.set_grad_enabled(grad):
            # Dynamo trips over deprecations of its own.
            warnings.simplefilter("ignore")
            compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
            got = outputs_of(compiled(*(x.requires_grad_(tracked) for x in inputs)))
            expected = outputs_of(plain(*(x.requires_grad_(tracked) for x in reference)))
            what = f"{self.label} under torch.compile against eager"
            assert_same(Run(got, held(net)), Run(expected, held(plain)), what, self.tolerance)
            if tracked:
                got[0].sum().backward()
                expected[0].sum().backward()
                for x, y in zip(inputs, reference, strict=True):
                    assert x.grad is not None
                    assert y.grad is not None
                    assert_tensor(x.grad, y.grad, f"{what}: gradient of x", self.tolerance)

    def test_torch_func_agrees_with_autograd(self, variant: Variant) -> None:
        """``grad`` and ``vmap`` of the functional form."""
        self.needs("differentiable")
        net = self.reference(variant)
        self.needs_state(net)
        snncore.set_step_mode(net, self.mode(net))
        inputs = self._first_call(net)
        call, init = snncore.functional(net)
        states = init(inputs)

        def loss(x: tuple[torch.Tensor, ...]) -> torch.Tensor:
            y, _ = call(x, states)
            return outputs_of(y)[0].sum()

        by_func = torch.func.grad(loss)(inputs)
        leaves = tuple(x.clone().requires_grad_() for x in inputs)
        by_autograd = torch.autograd.grad(loss(leaves), leaves)
        pairs = torch.func.vmap(loss)(tuple(torch.stack([x, x]) for x in inputs))
        for got, expected in zip(by_func, by_autograd, strict=True):
            assert_tensor(got, expected, f"{self.label}: torch.func.grad", self.tolerance)
        assert_tensor(pairs[0], loss(inputs), f"{self.label}: torch.func.vmap", self.tolerance)

    def _first_call(self, net: Any) -> tuple[torch.Tensor, ...]:
        inputs = self.inputs(3)
        return inputs if self.mode(net) == "m" else tuple(x[0] for x in inputs)
