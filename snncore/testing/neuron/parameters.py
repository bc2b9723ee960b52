"""Every numeric parameter as a float, a buffer or a Parameter of every broadcastable shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snncore
from snncore.config import numeric_parameters
from snncore.neuron import Membrane
from snncore.testing.neuron.gradients import assert_gradient
from snncore.testing.neuron.run import Run, assert_same, assert_tensor, held, outputs_of, run
from snncore.testing.neuron.subject import Subject, Variant

FORMS = ("scalar", "per channel", "per neuron")


class Parameters(Subject):
    """Forms of numeric parameters, found from the constructor's annotations."""

    def numeric(self, variant: Variant) -> Iterator[tuple[str, float]]:
        """Numeric parameters that hold one number in this variant, with that number."""
        for name in numeric_parameters(self.target()):
            value = variant.get(name, self.signature()[name].default)
            if isinstance(value, (int, float)):
                yield name, float(value)

    def form(self, form: str, value: float, dtype: torch.dtype = torch.float32) -> Tensor:
        """``value`` in one of the shapes that broadcast against ``[N, *shape]``."""
        shape = {
            "scalar": (),
            "per channel": (self.shape[0], *[1] * (len(self.shape) - 1)),
            "per neuron": self.shape,
        }[form]
        return torch.full(shape, value, dtype=dtype)

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize("holder", ["buffer", "Parameter"])
    def test_tensor_parameter_equals_float(self, variant: Variant, form: str, holder: str) -> None:
        plain = self.reference(variant)
        mode = self.mode(plain)
        expected = run(plain, self.inputs(), mode)
        for name, value in self.numeric(variant):
            tensor = self.form(form, value)
            given = nn.Parameter(tensor) if holder == "Parameter" else tensor
            got = run(self.reference(variant, **{name: given}), self.inputs(), mode)
            close = Run(
                got.outputs,
                {key: state.detach() for key, state in got.states.items()},
            )
            what = f"{self.label}: {name} as {form} {holder} against the float {value:g}"
            assert_same(close, expected, what, self.tolerance)

    def test_list_parameter_equals_float(self, variant: Variant) -> None:
        plain = self.reference(variant)
        mode = self.mode(plain)
        expected = run(plain, self.inputs(), mode)
        for name, value in self.numeric(variant):
            nested = self.form("per neuron", value).tolist()
            got = run(self.reference(variant, **{name: nested}), self.inputs(), mode)
            what = f"{self.label}: {name} as a nested list against the float {value:g}"
            assert_same(got, expected, what, self.tolerance)

    @pytest.mark.parametrize("form", FORMS)
    def test_parameter_receives_its_gradient(self, variant: Variant, form: str) -> None:
        """Spiking form: present, finite, and of the parameter's shape."""
        self.needs("differentiable")
        for name, value in self.numeric(variant):
            given = nn.Parameter(self.form(form, value))
            net = self.reference(variant, **{name: given})
            learned = self._learned(net, name, given)
            found = run(net, self.inputs(), self.mode(net), gradients=True).gradients[learned]
            what = f"{self.label}: {name} as {form} Parameter"
            assert found is not None, f"{what} receives no gradient"
            assert found.shape == given.shape, (
                f"{what} of shape {list(given.shape)} receives a gradient of {list(found.shape)}"
            )
            assert found.isfinite().all(), f"{what} receives a gradient that is not finite"

    @pytest.mark.parametrize("form", FORMS)
    def test_parameter_gradient_matches_finite_differences(
        self, variant: Variant, form: str
    ) -> None:
        self.needs_smooth(variant)
        for name, value in self.numeric(variant):
            given = nn.Parameter(self.form(form, value, torch.float64))
            net = self.smoothed(variant, **{name: given})
            learned = self._learned(net, name, given)
            snncore.set_step_mode(net, self.mode(net))
            inputs = self.inputs(3, batch=1, dtype=torch.float64)
            if net.step_mode == "s":
                inputs = tuple(x[0] for x in inputs)

            def function(
                p: Tensor, net: Any = net, learned: str = learned, inputs: Any = inputs
            ) -> tuple[Tensor, ...]:
                snncore.reset(net)
                y = torch.func.functional_call(net, {learned: p}, inputs)
                values = (*outputs_of(y), *held(net).values())
                return tuple(value for value in values if value.requires_grad)

            start = net.get_parameter(learned).detach().clone().requires_grad_()
            assert_gradient(function, (start,), f"{self.label}: {name} as {form} Parameter")

    @pytest.mark.parametrize("form", FORMS)
    def test_initial_state_may_learn(self, variant: Variant, form: str) -> None:
        """A state starts where it is told, and that receives the gradient of explicit states."""
        self.needs("differentiable")
        plain = self.reference(variant)
        if not isinstance(plain, Membrane):
            pytest.skip(f"{self.label} is no Membrane and has no set_initial")
        mode, inputs = self.mode(plain), self.inputs(3)
        snncore.set_step_mode(plain, mode)
        now = inputs if mode == "m" else tuple(x[0] for x in inputs)
        call, init = snncore.functional(plain)
        for name in plain.states:
            given = nn.Parameter(self.form(form, 0.25))
            net = self.representative(variant)
            net.set_initial(name, given)
            snncore.set_step_mode(net, mode)
            states = init(now)
            states[""][name] = given.expand(states[""][name].shape)
            y, after = call(now, states)
            expected = Run(outputs_of(y), after[""])
            what = f"{self.label}: state {name} started at a {form} Parameter"
            got = Run(outputs_of(net(*now)), held(net))
            assert_same(got, expected, what, self.tolerance)
            by_net, by_hand = (_gradient(r, given) for r in (got, expected))
            assert_tensor(by_net, by_hand, f"{what}: its gradient", (1e-5, 1e-6))

    def test_learnable_names_make_parameters(self, variant: Variant) -> None:
        self.needs_component()
        plain = self.reference(variant)
        mode = self.mode(plain)
        expected = run(plain, self.inputs(), mode)
        for name, value in self.numeric(variant):
            net = self.reference(variant, **{name: nn.Parameter(torch.tensor(value))})
            if name not in dict(net.named_parameters()):
                # Kept under another name, and learnable as it is.
                continue
            net = self.reference(variant, learnable=[name])
            assert isinstance(getattr(net, name), nn.Parameter), (
                f'{self.label}: learnable=["{name}"] makes no nn.Parameter'
            )
            with torch.no_grad():
                got = run(net, self.inputs(), mode)
            assert_same(got, expected, f'{self.label}: learnable=["{name}"]', self.tolerance)

    def _learned(self, net: Any, name: str, given: nn.Parameter) -> str:
        """Under which name the neuron keeps ``given``, itself or a function of it."""
        parameters = dict(net.named_parameters())
        if name in parameters:
            assert parameters[name] is given, (
                f"{self.label} copies the nn.Parameter given as {name}; an optimiser that holds "
                "the original would train nothing. Store it with set_numeric"
            )
            return name
        matches = [key for key, p in parameters.items() if p.shape == given.shape]
        assert matches, (
            f"{self.label}: {name} given as nn.Parameter{list(given.shape)} ends up in no "
            f"parameter of that shape; there are {list(parameters)}"
        )
        return matches[0]


def _gradient(result: Run, leaf: Tensor) -> Tensor:
    """Of the sum of all outputs and states, each weighted by its place."""
    loss = torch.zeros(())
    for i, value in enumerate((*result.outputs, *result.states.values())):
        loss = loss + (i + 1.0) * value.sum()
    if not loss.requires_grad:
        return torch.zeros_like(leaf)
    (found,) = torch.autograd.grad(loss, leaf, allow_unused=True)
    return torch.zeros_like(leaf) if found is None else found
