"""Copies of a layer: pickle, deepcopy, state_dict, configuration."""

from __future__ import annotations

import copy
import io
import json
import pickle
from typing import Any

import torch

import snncore
from snncore.config import config_of
from snncore.testing.layer.subject import Subject, Variant, bare, seeded
from snncore.testing.layer.training import tensors
from snncore.testing.neuron.run import Run, assert_same, held, outputs_of


class Copies(Subject):
    """What a copy of a layer is."""

    def test_pickle(self, variant: Variant) -> None:
        net = self._trained(variant)
        self._assert_copy(pickle.loads(pickle.dumps(net)), net, "pickle")

    def test_deepcopy_after_a_training_forward(self, variant: Variant) -> None:
        net = self._trained(variant)
        self._assert_copy(copy.deepcopy(net), net, "copy.deepcopy")

    def test_state_dict_round_trip(self, variant: Variant) -> None:
        """Parameters, running statistics and all else that a run learns."""
        net = self._trained(variant)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(0.125)
        file = io.BytesIO()
        torch.save(net.state_dict(), file)
        file.seek(0)
        fresh = self.layer(variant)
        fresh.load_state_dict(torch.load(file, weights_only=True))
        net.eval()
        mode = self.mode(net)
        assert_same(
            self.play(fresh, self.inputs(), mode),
            self.play(net, self.inputs(), mode),
            f"{self.label}, after load_state_dict",
        )

    def test_state_is_not_in_the_state_dict(self, variant: Variant) -> None:
        net = self.layer(variant, train=True)
        before = list(net.state_dict())
        self.play(net, self.inputs(), self.mode(net))
        extra = [name for name in net.state_dict() if name not in before]
        assert not extra, f"{self.label}: a run put {', '.join(extra)} into the state_dict"

    def test_config_round_trip(self, variant: Variant) -> None:
        self.needs("configurable")
        self.needs_component()
        net = self.layer(variant, wide=False)
        config = config_of(bare(net))
        assert json.loads(json.dumps(config)) == config, (
            f"{self.label}: its configuration is not plain data: {config}"
        )
        with seeded(0):
            twin = self.make(**config).eval()
        assert config_of(twin) == config, f"{self.label}: config -> instance -> config"
        twin.load_state_dict(bare(net).state_dict())
        mode, inputs = self.mode(net), self.inputs(dtype=torch.float32)
        assert_same(
            self.play(twin, inputs, mode),
            self.play(net, inputs, mode),
            f"{self.label}, rebuilt from its configuration",
        )

    def test_instances_share_nothing(self, variant: Variant) -> None:
        # As it is made: a change of dtype would copy what is shared.
        one, other = self.layer(variant, wide=False), self.layer(variant, wide=False)
        mine = {id(part): name for name, part in _parts(one)}
        shared = [name for name, part in _parts(other) if id(part) in mine]
        assert not shared, f"{self.label}: two instances share {', '.join(shared)}"

    def _trained(self, variant: Variant) -> Any:
        """A layer that has seen one sequence in training, and holds what state it has."""
        net = self.layer(variant, train=True)
        self.play(net, self._shorter(), self.mode(net), gradients=True)
        return net

    def _continued(self, net: Any) -> Run:
        """Evaluation from the state that ``net`` holds."""
        net.eval()
        snncore.detach(net)
        inputs = self._shorter(seed=5)
        calls = [inputs] if self.mode(net) == "m" else list(zip(*inputs, strict=True))
        y: Any = ()
        with torch.no_grad(), seeded(4):
            for now in calls:
                y = net(*now)
        return Run(outputs_of(y), held(net))

    def _shorter(self, seed: int = 1) -> tuple[torch.Tensor, ...]:
        """Half a sequence, so that a layer that counts its steps has room for two."""
        return self.inputs(self.steps // 2 if self.any_length else None, seed=seed)

    def _assert_copy(self, twin: Any, net: Any, way: str) -> None:
        what = f"{self.label}, {way} against the original"
        assert type(twin) is type(net), f"{what}: another class"
        mine = {id(part) for _, part in _parts(net)}
        shared = [name for name, part in _parts(twin) if id(part) in mine]
        assert not shared, f"{what}: shares {', '.join(shared)}"
        assert_same(self._continued(twin), self._continued(net), what)


def _parts(net: Any) -> list[tuple[str, Any]]:
    """Modules, parameters and buffers: whatever an instance must have for itself."""
    modules = ((name or type(net).__name__, module) for name, module in net.named_modules())
    return [*modules, *tensors(net).items()]
