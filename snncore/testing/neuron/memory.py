"""State cannot bite: reset, detach, snapshot, and the errors that explain themselves."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import nn

import snncore
from snncore.errors import StateError
from snncore.testing.neuron.run import Run, assert_same, assert_tensor, held, run
from snncore.testing.neuron.subject import Subject, Variant


class _Second(nn.Sequential):
    """Runs its second module only, on any number of inputs."""

    def forward(self, *inputs: torch.Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self[1](*inputs)


class Memory(Subject):
    """What the neuron remembers, and what it says when the memory does not fit."""

    def test_reset_restores_the_initial_state(self, variant: Variant) -> None:
        net = self.neuron(variant)
        self.needs_state(net)
        first = run(net, self.inputs(), self.mode(net))
        snncore.reset(net)
        assert not held(net), f"{self.label}: reset left {', '.join(held(net))}"
        assert_same(
            run(net, self.inputs(), self.mode(net)),
            first,
            f"{self.label}, a run after reset against the first",
        )

    def test_state_is_kept_until_reset(self, variant: Variant) -> None:
        net = self.neuron(variant)
        self.needs_state(net)
        run(net, self.inputs(), self.mode(net))
        before = held(net)
        assert set(before) == set(net.states), (
            f"{self.label} declares states {list(net.states)} and holds {list(before)}"
        )
        self._again(net)
        moved = [name for name in before if not torch.equal(before[name], held(net)[name])]
        assert moved, f"{self.label}: no state changes from one sequence to the next"

    def test_detach_cuts_the_graph_and_keeps_values(self, variant: Variant) -> None:
        self.needs("differentiable")
        self.needs("through_time")
        net = self.neuron(variant)
        self.needs_state(net)
        run(net, _tracked(self.inputs()), self.mode(net))
        before = held(net)
        assert any(value.requires_grad for value in before.values()), (
            f"{self.label}: no state has a graph after a run on inputs that require grad"
        )
        snncore.detach(net)
        for name, value in held(net).items():
            assert not value.requires_grad, f"{self.label}: detach left a graph on state {name}"
            assert_tensor(value, before[name].detach(), f"{self.label}: detach; state {name}")

    def test_snapshot_restores(self, variant: Variant) -> None:
        net = self.neuron(variant)
        self.needs_state(net)
        run(net, self.inputs(), self.mode(net))
        file = io.BytesIO()
        torch.save(snncore.snapshot(net), file)
        file.seek(0)
        snap = torch.load(file, weights_only=True)
        expected = self._again(net)
        fresh = self.neuron(variant)
        snncore.set_step_mode(fresh, self.mode(fresh))
        snncore.restore(fresh, snap)
        assert_same(self._again(fresh), expected, f"{self.label}, after restore(snapshot)")
        snncore.restore(fresh, snap)
        assert_same(self._again(fresh), expected, f"{self.label}, a snapshot restored twice")

    def test_restore_rejects_another_network(self, variant: Variant) -> None:
        net = self.neuron(variant)
        self.needs_state(net)
        run(net, self.inputs(), self.mode(net))
        snap = snncore.snapshot(net)
        name = next(iter(net.states))
        with pytest.raises(StateError, match="missing ''"):
            snncore.restore(net, {})
        with pytest.raises(StateError, match="extra 'elsewhere'"):
            snncore.restore(net, {**snap, "elsewhere": snap[""]})
        wrong = {("other" if key == name else key): value for key, value in snap[""].items()}
        with pytest.raises(StateError, match=rf"missing '.*{name}'.*extra '.*other'"):
            snncore.restore(net, {"": wrong})

    @pytest.mark.parametrize(
        "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str
    )
    def test_state_dtype(self, variant: Variant, dtype: torch.dtype) -> None:
        """Float32 state and arithmetic, float64 for float64; spikes in the input's dtype."""
        net = self.representative(variant)
        wide = torch.float64 if dtype == torch.float64 else torch.float32
        inputs = self.inputs(dtype=dtype)
        result = run(net, inputs, self.mode(net))
        for name, value in result.states.items():
            assert value.dtype == wide, (
                f"{self.label}: state {name} is {value.dtype} for {dtype} input, expected {wide}"
            )
        expected = run(net, tuple(x.to(wide) for x in inputs), self.mode(net))
        outputs = tuple(y.to(dtype) for y in expected.outputs)
        assert_same(
            result,
            Run(outputs, expected.states),
            f"{self.label}, {dtype} input against the same values in {wide}",
        )

    def test_half_network_keeps_its_state(self, variant: Variant) -> None:
        net = self.neuron(variant)
        self.needs_state(net)
        before = run(net, self.inputs(), self.mode(net)).states
        net.half()
        for name, value in held(net).items():
            assert_tensor(value, before[name], f"{self.label}: after net.half(), state {name}")

    def test_state_follows_the_device(self, variant: Variant) -> None:
        device = torch.device("cuda" if torch.cuda.is_available() else "meta")
        net = self.neuron(variant).to(device)
        inputs = tuple(x.to(device) for x in self.inputs())
        result = run(net, inputs, self.mode(net))
        for name, value in {**result.states, "output": result.outputs[0]}.items():
            assert value.device.type == device.type, (
                f"{self.label}: {name} is on {value.device} for input on {device}"
            )

    def test_another_batch_size_explains_itself(self, variant: Variant) -> None:
        neuron = self.neuron(variant)
        self.needs_state(neuron)
        net = _Second(nn.Identity(), neuron)
        snncore.set_step_mode(net, self.mode(neuron))
        small, large = self._call(batch=2, like=neuron), self._call(batch=5, like=neuron)
        net(*small)
        kept = {name: value.clone() for name, value in held(net).items()}
        with pytest.raises(
            StateError, match=r"net\.1 \(.*has batch 2, input has batch 5.*snncore\.reset"
        ):
            net(*large)
        for name, value in held(net).items():
            assert_tensor(value, kept[name], f"{self.label}: after the error, state {name}")
        snncore.reset(net)
        net(*large)

    def test_forward_after_backward_explains_itself(self, variant: Variant) -> None:
        self.needs("differentiable")
        self.needs("through_time")
        net = self.neuron(variant)
        self.needs_state(net)
        self._backward(net, retain_graph=False)
        with pytest.raises(
            StateError, match=r"backward has freed.*snncore\.reset\(net\).*snncore\.detach\(net\)"
        ):
            net(*self._call(like=net))

    def test_each_step_may_have_a_backward_of_its_own(self, variant: Variant) -> None:
        """Where no gradient passes through time, a backward frees nothing that is still needed."""
        if self.through_time:
            pytest.skip(f"{self.label} passes gradients through time")
        net = self.neuron(variant)
        for seed in (1, 5):
            self._backward(net, retain_graph=False, seed=seed)
            graphs = [name for name, value in held(net).items() if value.requires_grad]
            assert not graphs, (
                f"{self.label} declares through_time = False, and a call leaves a graph on state "
                f"{', '.join(graphs)}"
            )

    @pytest.mark.parametrize("way", ["retain_graph", "detach", "no_grad"])
    def test_legal_ways_on_after_backward(self, variant: Variant, way: str) -> None:
        self.needs("differentiable")
        net = self.neuron(variant)
        self.needs_state(net)
        self._backward(net, retain_graph=way == "retain_graph")
        if way == "detach":
            snncore.detach(net)
        with torch.set_grad_enabled(way != "no_grad"):
            y = net(*_tracked(self._call(like=net)))
        if way != "no_grad":
            _first(y).sum().backward()

    def _backward(self, net: Any, *, retain_graph: bool, seed: int = 1) -> None:
        snncore.set_step_mode(net, self.mode(net))
        y = net(*_tracked(self._call(like=net, seed=seed)))
        _first(y).sum().backward(retain_graph=retain_graph)

    def _again(self, net: Any) -> Run:
        """One more sequence from the state that ``net`` holds."""
        parts = run_on(net, self.inputs(seed=5))
        return Run(parts, held(net))

    def _call(
        self, *, like: Any, batch: int | None = None, seed: int = 1
    ) -> tuple[torch.Tensor, ...]:
        inputs = self.inputs(batch=batch, seed=seed)
        return inputs if self.mode(like) == "m" else tuple(x[0] for x in inputs)


def run_on(net: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Continues ``net`` from its state in its mode; the last outputs."""
    calls = [inputs] if net.step_mode == "m" else zip(*(x.unbind(0) for x in inputs), strict=True)
    y: Any = ()
    for now in calls:
        y = net(*now)
    return y if isinstance(y, tuple) else (y,)


def _tracked(inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return tuple(x.requires_grad_() for x in inputs)


def _first(y: Any) -> torch.Tensor:
    return y[0] if isinstance(y, tuple) else y
