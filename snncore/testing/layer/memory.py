"""State of a layer: kept until reset, and restored from snapshots."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import nn

import snncore
from snncore import registry
from snncore.errors import StateError
from snncore.kernels.backends import Plan
from snncore.kernels.fused import FusedModule
from snncore.state.walks import memory_modules
from snncore.testing.layer.subject import Subject, Variant, seeded
from snncore.testing.neuron.run import Run, assert_same, held, outputs_of


class Memory(Subject):
    """What a layer remembers, and who computes it."""

    def test_reset_restores_the_initial_state(self, variant: Variant) -> None:
        net = self.layer(variant)
        mode = self.mode(net)
        first = self.play(net, self.inputs(), mode)
        snncore.reset(net)
        assert not held(net), f"{self.label}: reset left {', '.join(held(net))}"
        assert_same(
            self.play(net, self.inputs(), mode),
            first,
            f"{self.label}, a run after reset against the first",
            self.tolerance,
        )

    def test_state_is_whole(self, variant: Variant) -> None:
        """Of each module inside all declared states, or none."""
        net = self.layer(variant, train=True)
        self.needs_state(net)
        self.play(net, self.inputs(), self.mode(net))
        for path, module in memory_modules(net):
            names = [name for name in module.states if getattr(module, name) is not None]
            assert names in ([], list(module.states)), (
                f"{self.label}: {path or 'it'} declares states {list(module.states)}, holds {names}"
            )

    def test_detach_keeps_values(self, variant: Variant) -> None:
        net = self.layer(variant, train=True)
        self.needs_state(net)
        self.play(net, self.inputs(), self.mode(net), gradients=True)
        before = held(net)
        snncore.detach(net)
        for name, value in held(net).items():
            assert not value.requires_grad, f"{self.label}: detach left a graph on state {name}"
            assert torch.equal(value, before[name].detach()), f"{self.label}: detach; state {name}"

    def test_snapshot_restores(self, variant: Variant) -> None:
        net = self.layer(variant, train=True)
        self.needs_state(net)
        self._first_half(net)
        file = io.BytesIO()
        torch.save(snncore.snapshot(net), file)
        file.seek(0)
        fresh = self.layer(variant, train=True)
        snncore.set_step_mode(fresh, self.mode(fresh))
        fresh.load_state_dict(net.state_dict())
        snncore.restore(fresh, torch.load(file, weights_only=True))
        assert_same(
            self._second_half(fresh), self._second_half(net), f"{self.label}, after restore"
        )

    def test_another_batch_size_passes_or_explains_itself(self, variant: Variant) -> None:
        layer = self.layer(variant, train=True)
        self.needs_state(layer)
        net = nn.ModuleList([nn.Identity(), layer])
        snncore.set_step_mode(net, self.mode(layer))
        small, large = self._call(layer, 2), self._call(layer, 5)
        with torch.no_grad():
            layer(*small)
            kept = {name: value.clone() for name, value in held(layer).items()}
            try:
                layer(*large)
            except StateError as error:
                text = str(error)
                assert "snncore.reset" in text, f"{self.label}: {text!r} names no cure"
                for name, value in held(layer).items():
                    assert torch.equal(value, kept[name]), (
                        f"{self.label}: the error changed state {name}"
                    )
            snncore.reset(layer)
            layer(*large)

    def test_backends_equal_eager(self, variant: Variant, nan_empty: None) -> None:
        """Outputs, states and gradients of a layer whose recurrence a kernel runs."""
        inner = [m for _, m in memory_modules(self.layer(variant)) if isinstance(m, FusedModule)]
        if not inner:
            pytest.skip(f"{self.label} has no recurrence that a kernel runs")
        (x, *_) = self.inputs(dtype=torch.float32)
        expected = self._run_on("snncore/eager", variant)
        for component in registry.components("backend"):
            found = registry.get("backend", component.qualified)()
            if found.available() or found.supports(Plan.of(inner[0], x[0])):
                continue
            what = f"{self.label} on {component.qualified} against eager"
            assert_same(self._run_on(component.qualified, variant), expected, what, (1e-5, 1e-6))

    def _run_on(self, backend: str, variant: Variant) -> Run:
        net = self.layer(variant, train=True, wide=False)
        for _, module in memory_modules(net):
            if isinstance(module, FusedModule):
                module.backend = backend
        return self.play(net, self.inputs(dtype=torch.float32), self.mode(net), gradients=True)

    def _call(self, net: Any, batch: int) -> tuple[torch.Tensor, ...]:
        inputs = self.inputs(batch=batch)
        if self.mode(net) == "s":
            return tuple(x[0] for x in inputs)
        # Layers that count steps have room for a second sequence after a short one.
        return inputs if not self.any_length else tuple(x[: self.steps // 2] for x in inputs)

    def _first_half(self, net: Any) -> Run:
        snncore.set_step_mode(net, self.mode(net))
        return self._part(net, slice(0, self.steps // 2))

    def _second_half(self, net: Any) -> Run:
        return self._part(net, slice(self.steps // 2, self.steps))

    def _part(self, net: Any, steps: slice) -> Run:
        parts = tuple(x[steps] for x in self.inputs())
        calls = [parts] if self.mode(net) == "m" else list(zip(*parts, strict=True))
        y: Any = ()
        with torch.no_grad(), seeded(4):
            for now in calls:
                y = net(*now)
        return Run(outputs_of(y), held(net))
