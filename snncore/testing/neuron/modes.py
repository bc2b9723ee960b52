"""One definition, every way of running it: the modes give the same numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import snncore
from snncore.neuron import Neuron
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


class Modes(Subject):
    """Step modes, shapes, values and the functional form."""

    def test_kit_input_makes_it_fire(self, variant: Variant) -> None:
        """Otherwise every other test would compare silence with silence."""
        if self.spike_values is None:
            pytest.skip(f"{self.label} declares analogue output")
        net = self.neuron(variant)
        spikes = run(net, self.inputs(), self.mode(net)).outputs[0]
        assert len(spikes.unique()) > 1, (
            f"{self.label} gives {spikes.unique().tolist()} only on the kit's input; set 'gain' "
            f"(now {self.gain:g}) so that it fires sometimes"
        )

    def test_single_steps_equal_multi_step(self, variant: Variant) -> None:
        net = self.reference(variant)
        self.needs_mode(net, "s", "m")
        self.needs("exact_modes")
        assert_same(
            run(net, self.inputs(), "s"),
            run(net, self.inputs(), "m"),
            f"{self.label}, single steps against multi-step",
        )

    def test_gradients_of_single_steps_equal_multi_step(self, variant: Variant) -> None:
        net = self.reference(variant)
        self.needs_mode(net, "s", "m")
        self.needs("exact_modes")
        self.needs("differentiable")
        assert_same(
            run(net, self.inputs(), "s", gradients=True),
            run(net, self.inputs(), "m", gradients=True),
            f"{self.label}, single steps against multi-step",
        )

    def test_chunks_carry_the_state(self, variant: Variant) -> None:
        net = self.reference(variant)
        self.needs_mode(net, "m")
        self.needs("exact_modes")
        chunks = (1, self.steps - 3, 2)
        for gradients in (False, self.differentiable):
            assert_same(
                run(net, self.inputs(), "m", chunks=chunks, gradients=gradients),
                run(net, self.inputs(), "m", gradients=gradients),
                f"{self.label}, a sequence in chunks against the whole",
            )

    def test_functional_form_equals_stateful(self, variant: Variant) -> None:
        net = self.reference(variant)
        self.needs_state(net)
        mode = self.mode(net)
        expected = run(net, self.inputs(), mode, gradients=self.differentiable)
        snncore.reset(net)
        inputs = self.inputs()
        if self.differentiable:
            inputs = tuple(x.requires_grad_() for x in inputs)
        got = self._functional(net, inputs)
        assert_same(got, expected, f"{self.label}, functional form against stateful")
        assert not held(net), f"{self.label}: the functional form left state in the network"

    def _functional(self, net: Any, inputs: tuple[torch.Tensor, ...]) -> Run:
        call, init = snncore.functional(net)
        if net.step_mode == "m":
            y, table = call(inputs, init(inputs))
            outputs = outputs_of(y)
        else:
            table = init(tuple(x[0] for x in inputs))
            steps = []
            for now in zip(*(x.unbind(0) for x in inputs), strict=True):
                y, table = call(now, table)
                steps.append(outputs_of(y))
            outputs = tuple(torch.stack(values) for values in zip(*steps, strict=True))
        states = {
            f"{path}.{name}".lstrip("."): value
            for path, named in table.items()
            for name, value in named.items()
        }
        wanted = self.differentiable
        return Run(outputs, states, gradients_of(net, inputs, outputs, states) if wanted else {})

    def test_output_follows_the_input(self, variant: Variant) -> None:
        net = self.neuron(variant)
        inputs = self.inputs()
        for i, y in enumerate(run(net, inputs, self.mode(net)).outputs):
            assert y.shape[:2] == inputs[0].shape[:2], (
                f"{self.label}: output {i} has shape {list(y.shape)}, expected time and batch "
                f"{list(inputs[0].shape[:2])} first"
            )
            assert y.dtype == inputs[0].dtype, f"{self.label}: output {i} is {y.dtype}"

    def test_spikes_have_the_declared_values(self, variant: Variant) -> None:
        if self.spike_values is None:
            pytest.skip(f"{self.label} declares analogue output")
        net = self.neuron(variant)
        spikes = run(net, self.inputs(), self.mode(net)).outputs[0]
        found = set(spikes.unique().tolist())
        assert found <= set(self.spike_values), (
            f"{self.label} gives {sorted(found)}, declared spike_values are {self.spike_values}"
        )

    def test_input_is_not_changed(self, variant: Variant) -> None:
        net = self.neuron(variant)
        inputs = self.inputs()
        run(net, inputs, self.mode(net))
        for x, before in zip(inputs, self.inputs(), strict=True):
            assert_tensor(x, before, f"{self.label} changed its input, which")

    def test_non_contiguous_input(self, variant: Variant) -> None:
        net = self.neuron(variant)
        strided = tuple(x.transpose(0, -1).contiguous().transpose(0, -1) for x in self.inputs())
        assert_same(
            run(net, strided, self.mode(net)),
            run(net, self.inputs(), self.mode(net)),
            f"{self.label}, non-contiguous input against contiguous",
        )

    @pytest.mark.parametrize(("steps", "batch"), [(1, 2), (0, 2), (3, 0), (0, 0)])
    def test_short_and_empty_input(self, variant: Variant, steps: int, batch: int) -> None:
        net = self.reference(variant)
        self.needs_mode(net, "m")
        if steps < 2:
            self.needs("any_length")
        inputs = self.inputs(steps, batch=batch)
        result = run(net, inputs, "m")
        shape = run(net, self.inputs(2), "m").outputs[0].shape[2:]
        assert result.outputs[0].shape == (len(inputs[0]), batch, *shape), (
            f"{self.label}: T = {steps}, N = {batch} gives shape {list(result.outputs[0].shape)}"
        )
        if steps == 0 and result.states:
            initial = net.init_states(*(x.new_zeros(x.shape[1:]) for x in inputs))
            start = Run(result.outputs, dict(zip(net.states, initial, strict=True)))
            assert_same(result, start, f"{self.label}: after T = 0 steps")

    def test_recorded_potential(self, variant: Variant) -> None:
        self.needs_parameter("store_v_seq")
        net = self.reference(variant, store_v_seq=True)
        self.needs_mode(net, "s", "m")
        run(net, self.inputs(), "m")
        recorded = net.v_seq
        snncore.reset(net)
        snncore.set_step_mode(net, "s")
        for t, now in enumerate(zip(*self.inputs(), strict=True)):
            net(*now)
            assert_tensor(recorded[t], net.v, f"{self.label}: v_seq[{t}]")
        plain = self.neuron(variant, store_v_seq=False)
        run(plain, self.inputs(), "m")
        assert plain.v_seq is None, f"{self.label} keeps v_seq though store_v_seq is False"

    def test_overriding_charge_changes_the_result(self, variant: Variant) -> None:
        cls = self.target()
        if not issubclass(cls, Neuron) or cls.charge is Neuron.charge:
            pytest.skip(f"{self.label} defines no charge")

        class Other(cls):
            def charge(self, *args: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
                return super().charge(*args) - 1e6

        net = self.representative(variant)
        net.__class__ = Other
        for mode in net.step_modes:
            spikes = run(net, self.inputs(), mode).outputs[0]
            silent = run(self.representative(variant), self.inputs(), mode).outputs[0]
            assert not torch.equal(spikes, silent), (
                f"{self.label}: a subclass that overrides charge gives the same spikes in "
                f"step_mode {mode!r}"
            )
