"""Gradients against finite differences and against loops written out independently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

import snncore
from snncore.neuron import Membrane, Neuron
from snncore.testing.neuron.run import (
    Run,
    assert_same,
    assert_tensor,
    gradients_of,
    held,
    outputs_of,
    run,
)
from snncore.testing.neuron.subject import Subject, Variant
from snncore.testing.recurrence import Leaky


class Gradients(Subject):
    """Smooth form against finite differences, spiking form against plain autograd."""

    def recurrence(self, net: Any) -> Leaky | None:
        """The neuron's equations and their gradient written by hand, where that is known."""
        return None

    def test_smooth_gradients_match_finite_differences(self, variant: Variant) -> None:
        """Of every output and final state by every input and parameter, in float64."""
        self.needs_smooth(variant)
        net = self.smoothed(variant)
        snncore.set_step_mode(net, self.mode(net))
        parameters = _own(net)
        inputs = self.inputs(3, batch=1, dtype=torch.float64)
        leaves = (*(p.detach().clone() for p in parameters.values()), *inputs)
        assert_gradient(
            _pure(net, list(parameters), self.mode(net)),
            tuple(leaf.requires_grad_() for leaf in leaves),
            f"{self.label}, smooth form",
        )

    def test_spiking_gradients_match_a_plain_loop(self, variant: Variant) -> None:
        self.needs("differentiable")
        net = self.reference(variant)
        if not isinstance(net, Membrane):
            pytest.skip(f"{self.label} is no Membrane; its step is not known to the kit")
        self.needs("exact_modes")
        got = run(net, self.inputs(), self.mode(net), gradients=True)
        expected = plain_run(net, self.inputs(), through_time=self.through_time)
        learned = {name: None for name in got.gradients if name.startswith("surrogate.")}
        for result in (got, expected):
            result.gradients.update(learned)
        assert_same(got, expected, f"{self.label}, against charge, fire, reset written out")

    def test_spiking_gradients_match_the_written_recurrence(self, variant: Variant) -> None:
        net = self.reference(variant)
        written = self.recurrence(net)
        if written is None:
            pytest.skip(f"{self.label} has no recurrence written by hand")
        (x,) = self.inputs(dtype=torch.float64)
        got = run(net.double(), (x,), self.mode(net), gradients=True)
        spikes, v = written.forward(x.numpy())
        weights = torch.Generator().manual_seed(2)
        on_spikes = torch.randn(x.shape, generator=weights, dtype=torch.float64)
        on_v = torch.randn(x.shape[1:], generator=weights, dtype=torch.float64)
        by_hand = written.backward(on_spikes.numpy(), on_v.numpy())
        what = f"{self.label}, against the recurrence by hand"
        assert_tensor(got.outputs[0], torch.from_numpy(spikes), f"{what}: spikes")
        close = (1e-12, 1e-12)
        assert_tensor(got.states["v"], torch.from_numpy(v[-1]), f"{what}: state v", close)
        found = cast("Tensor", got.gradients["input 0"])
        assert_tensor(found, torch.from_numpy(by_hand.x), f"{what}: gradient of x", close)


def plain_run(net: Membrane, inputs: tuple[Tensor, ...], *, through_time: bool = True) -> Run:
    """The neuron as a loop in plain PyTorch, independent of kernels and of the surrogate's wiring.

    Charge, fire and reset are written out here; a neuron that overrides more than ``charge`` runs
    its own ``step`` with the spike function replaced. Without ``through_time`` the loop detaches
    the states after every step.
    """
    snncore.reset(net)
    inputs = tuple(x.detach().clone().requires_grad_() for x in inputs)
    step = _written_out(net) if isinstance(net, Neuron) and _plain(type(net)) else _replaced(net)
    states = net.init_states(*(x[0] for x in inputs))
    collected: list[list[Tensor]] = [[] for _ in range(net.outputs)]
    for now in zip(*(x.unbind(0) for x in inputs), strict=True):
        values = step(*now, *states)
        for bucket, value in zip(collected, values, strict=False):
            bucket.append(value)
        states = values[net.outputs :]
        if not through_time:
            states = tuple(state.detach() for state in states)
    outputs = tuple(torch.stack(bucket) for bucket in collected)
    final = dict(zip(net.states, states, strict=True))
    return Run(outputs, final, gradients_of(net, inputs, outputs, final))


def assert_gradient(function: Callable[..., Any], leaves: tuple[Tensor, ...], what: str) -> None:
    """Raises AssertionError unless autograd agrees with central differences in float64."""
    try:
        torch.autograd.gradcheck(function, leaves, eps=1e-6, atol=1e-6, rtol=1e-5)
    except RuntimeError as error:
        raise AssertionError(
            f"{what}: gradients differ from finite differences: {error}"
        ) from error


class _StraightThrough(nn.Module):
    """The spike and derivative of a surrogate, without an autograd Function."""

    def __init__(self, surrogate: Any) -> None:
        super().__init__()
        self.surrogate = surrogate

    def forward(self, x: Tensor) -> Tensor:
        slope = self.surrogate.derivative(x.detach()).detach()
        return self.surrogate.spike(x.detach()).detach() + slope * (x - x.detach())


def _plain(cls: type[Neuron]) -> bool:
    return all(getattr(cls, name) is getattr(Neuron, name) for name in ("step", "fire", "reset"))


def _written_out(net: Neuron) -> Callable[..., tuple[Tensor, ...]]:
    fire = _StraightThrough(net.surrogate)

    def step(x: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        h = net.charge(x, v)
        s = fire(h - net.v_threshold)
        z = s.detach() if net.detach_reset else s
        if net.v_reset is None:
            return s, h - z * net.v_threshold
        return s, z * net.v_reset + (1.0 - z) * h

    return step


def _replaced(net: Membrane) -> Callable[..., tuple[Tensor, ...]]:
    if not isinstance(net, Neuron):
        return net.step

    def step(*args: Tensor) -> tuple[Tensor, ...]:
        kept = net.surrogate
        net.surrogate = cast("Any", _StraightThrough(kept))
        try:
            return net.step(*args)
        finally:
            net.surrogate = kept

    return step


def _own(net: Any) -> dict[str, nn.Parameter]:
    """Parameters of the neuron, not of its surrogate."""
    return {k: p for k, p in net.named_parameters() if not k.startswith("surrogate.")}


def _pure(net: Any, names: list[str], mode: str) -> Callable[..., tuple[Tensor, ...]]:
    def function(*leaves: Tensor) -> tuple[Tensor, ...]:
        snncore.reset(net)
        table = dict(zip(names, leaves, strict=False))
        inputs = leaves[len(names) :]
        calls = [inputs] if mode == "m" else list(zip(*(x.unbind(0) for x in inputs), strict=True))
        outputs: list[Tensor] = []
        for now in calls:
            outputs += outputs_of(torch.func.functional_call(net, table, now))
        return tuple(y for y in (*outputs, *held(net).values()) if y.requires_grad)

    return function
