"""Copies: pickle, deepcopy, state_dict, configuration; and that instances share nothing."""

from __future__ import annotations

import copy
import io
import json
import pickle
from typing import Any

import torch
from torch import nn

import snncore
from snncore.config import config_of, numeric_parameters
from snncore.testing.neuron.memory import run_on
from snncore.testing.neuron.run import Run, assert_same, held, run
from snncore.testing.neuron.subject import Subject, Variant


class Copies(Subject):
    """What a copy of a neuron is."""

    def test_pickle(self, variant: Variant) -> None:
        net = self._trained(variant)
        self._assert_copy(pickle.loads(pickle.dumps(net)), net, "pickle")

    def test_deepcopy_after_a_training_forward(self, variant: Variant) -> None:
        net = self._trained(variant)
        self._assert_copy(copy.deepcopy(net), net, "copy.deepcopy")

    def test_state_dict_round_trip(self, variant: Variant) -> None:
        net = self._trained(variant)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(0.125)
        file = io.BytesIO()
        torch.save(net.state_dict(), file)
        file.seek(0)
        fresh = self.neuron(variant)
        fresh.load_state_dict(torch.load(file, weights_only=True))
        mode = self.mode(net)
        assert_same(
            run(fresh, self.inputs(), mode),
            run(net, self.inputs(), mode),
            f"{self.label}, after load_state_dict",
        )

    def test_state_is_not_in_the_state_dict(self, variant: Variant) -> None:
        net = self.neuron(variant)
        before = list(net.state_dict())
        run(net, self.inputs(), self.mode(net))
        extra = [name for name in net.state_dict() if name not in before]
        assert not extra, f"{self.label}: a run put {', '.join(extra)} into the state_dict"

    def test_config_round_trip(self, variant: Variant) -> None:
        self.needs_component()
        for net in (self.neuron(variant), self._with_tensors(variant)):
            config = config_of(net)
            assert json.loads(json.dumps(config)) == config, (
                f"{self.label}: its configuration is not plain data: {config}"
            )
            # Seeded alike, as weights that are drawn are no part of a configuration.
            twin = self.neuron(config)
            assert config_of(twin) == config, f"{self.label}: config -> instance -> config"
            mode = self.mode(net)
            assert_same(
                run(twin, self.inputs(), mode, gradients=self.differentiable),
                run(net, self.inputs(), mode, gradients=self.differentiable),
                f"{self.label}, rebuilt from its configuration",
                self.tolerance,
            )

    def test_instances_share_nothing(self, variant: Variant) -> None:
        one, other = self.neuron(variant), self.neuron(variant)
        mine = {id(part): name for name, part in _parts(one)}
        shared = [name for name, part in _parts(other) if id(part) in mine]
        assert not shared, f"{self.label}: two instances share {', '.join(shared)}"

    def _with_tensors(self, variant: Variant) -> Any:
        """Every number as a Parameter with one value per neuron, where the neuron takes it."""
        given = {
            name: nn.Parameter(torch.full(self.shape, value))
            for name, value in config_of(self.neuron(variant)).items()
            if isinstance(value, float) and name in numeric_parameters(self.target())
        }
        return self.reference(variant, **given)

    def _trained(self, variant: Variant) -> Any:
        """A neuron that holds state with a graph."""
        net = self.neuron(variant)
        snncore.set_step_mode(net, self.mode(net))
        run_on(net, tuple(x.requires_grad_(self.differentiable) for x in self.inputs()))
        return net

    def _continued(self, net: Any) -> Run:
        """One more sequence from the state that ``net`` holds, without history."""
        snncore.detach(net)
        with torch.no_grad():
            outputs = run_on(net, self.inputs(seed=5))
        return Run(outputs, held(net))

    def _assert_copy(self, twin: Any, net: Any, way: str) -> None:
        what = f"{self.label}, {way} against the original"
        assert type(twin) is type(net), f"{what}: another class"
        assert twin.step_mode == net.step_mode, f"{what}: another step mode"
        mine = {id(part) for _, part in _parts(net)}
        shared = [name for name, part in _parts(twin) if id(part) in mine]
        assert not shared, f"{what}: shares {', '.join(shared)}"
        assert_same(self._continued(twin), self._continued(net), what)


def _parts(net: nn.Module) -> list[tuple[str, Any]]:
    """Modules, parameters and buffers of a neuron: whatever an instance must have for itself."""
    return [
        *((name or type(net).__name__, module) for name, module in net.named_modules()),
        *net.named_parameters(),
        *net.named_buffers(),
    ]
