"""The neuron's derived machinery: reset, parameters, recording, backends."""

from __future__ import annotations

import copy
import types

import pytest
import torch
from torch import nn

import snncore as snn
from snncore.errors import BackendError
from snncore.hookspecs import hookimpl
from snncore.kernels.eager import EagerBackend
from snncore.neuron import Neuron
from snncore.registry import Registry, Source, installed, using


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


class TwoState(Neuron):
    """A neuron that overrides the whole step: adaptive threshold, two states, two outputs."""

    states = {"v": 0.0, "a": 0.25}
    outputs = 2

    def step(self, x, v, a):
        h = 0.5 * v + x
        s = self.surrogate(h - self.v_threshold - a)
        return s, h, self.reset(h, s), 0.5 * a + s


X = torch.tensor([[0.75], [0.5], [1.5], [0.25]]).unsqueeze(1)


@pytest.mark.parametrize(
    ("v_reset", "spikes", "potentials"),
    [
        (0.0, [0, 0, 1, 0], [0.75, 0.875, 0.0, 0.25]),
        (-0.5, [0, 0, 1, 0], [0.5, 0.75, -0.5, 0.0]),
        (None, [0, 0, 1, 0], [0.75, 0.875, 0.9375, 0.71875]),
    ],
)
def test_hard_and_soft_reset_by_hand(v_reset, spikes, potentials):
    neuron = Leaky(v_reset=v_reset, store_v_seq=True, step_mode="m")
    assert neuron(X).flatten().tolist() == spikes
    assert neuron.v_seq.flatten().tolist() == potentials
    assert neuron.v.item() == potentials[-1]


def test_a_potential_on_the_threshold_fires():
    assert Leaky()(torch.ones(1, 1)).item() == 1.0


@pytest.mark.parametrize("v_reset", [0.0, 0.25, None])
def test_detach_reset_cuts_the_reset_equation_only(v_reset):
    grads = []
    for detach in (False, True):
        neuron = Leaky(v_reset=v_reset, detach_reset=detach, step_mode="m")
        x = X.clone().requires_grad_()
        neuron(x)
        neuron.v.sum().backward()
        grads.append(x.grad[2].item())
    assert grads[1] == pytest.approx(0.0 if v_reset is not None else 0.5)
    assert grads[0] != pytest.approx(grads[1])


def test_several_states_and_outputs():
    neuron = TwoState()
    spikes, potential = zip(*(neuron(x) for x in X), strict=True)
    other = TwoState(step_mode="m")
    spike_seq, potential_seq = other(X)
    assert torch.equal(torch.stack(spikes), spike_seq)
    assert torch.equal(torch.stack(potential), potential_seq)
    assert torch.equal(neuron.a, other.a)
    # threshold 1.25, 1.125, 1.0625, then 1.53125
    assert spike_seq.flatten().tolist() == [0.0, 0.0, 1.0, 0.0]


def test_overriding_any_hook_changes_both_modes():
    class Reluctant(Leaky):
        def fire(self, h):
            return self.surrogate(h - 1.75)

    class Forgetful(Leaky):
        def reset(self, h, s):
            return torch.zeros_like(h)

    for cls, expected in ((Reluctant, [0, 0, 1, 0]), (Forgetful, [0, 0, 1, 0])):
        by_step, by_layer = cls(), cls(step_mode="m")
        stepped = torch.stack([by_step(x) for x in X])
        assert torch.equal(by_layer(X), stepped)
        assert stepped.flatten().tolist() == expected
        assert torch.equal(by_step.v, by_layer.v)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 1), (2, 1)])
@pytest.mark.parametrize("kind", ["list", "buffer", "parameter"])
def test_a_threshold_of_any_shape(shape, kind):
    value = torch.full(shape, 0.75)
    given = {"list": value.tolist(), "buffer": value, "parameter": nn.Parameter(value)}[kind]
    neuron, plain = Leaky(v_threshold=given, step_mode="m"), Leaky(v_threshold=0.75, step_mode="m")
    x = torch.rand(5, 2, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(neuron(x), plain(x))
    if kind == "parameter":
        neuron.v.sum().backward()
        assert neuron.v_threshold.grad.shape == shape
        assert neuron.v_threshold.grad.abs().sum() > 0
    elif shape:
        assert neuron.v_threshold.shape == shape
        assert "v_threshold" in neuron.state_dict()


def test_make_learnable_says_what_it_cannot_do():
    neuron = Leaky(v_reset=None)
    with pytest.raises(ValueError, match="Leaky cannot learn 'v_reset': it is None"):
        neuron.make_learnable(["v_reset"])
    with pytest.raises(ValueError, match="numeric parameters are v_threshold, v_reset"):
        neuron.make_learnable(["tau"])
    neuron.make_learnable(["v_threshold"])
    kept = neuron.v_threshold
    neuron.make_learnable(["v_threshold"])
    assert neuron.v_threshold is kept


def test_arithmetic_and_state_are_float32_for_low_precision():
    neuron = Leaky(step_mode="m")
    x = torch.randn(50, 4, 3).to(torch.bfloat16)
    y = neuron(x)
    assert (y.dtype, neuron.v.dtype) == (torch.bfloat16, torch.float32)
    wide = Leaky(step_mode="m")
    assert torch.equal(y.float(), wide(x.float()))
    assert torch.equal(neuron.v, wide.v)


def test_autocast_keeps_the_state_in_float32():
    net = nn.Sequential(nn.Linear(3, 4), Leaky())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = net(torch.randn(5, 3))
    assert y.dtype == torch.bfloat16
    assert net[1].v.dtype == torch.float32


def test_defaults_share_no_mutable_object():
    one, other = Leaky(), Leaky()
    assert one.surrogate is not other.surrogate
    twin = copy.deepcopy(one)
    assert twin.surrogate is not one.surrogate


def test_v_seq_in_single_step_mode_is_the_state():
    neuron = Leaky(store_v_seq=True)
    neuron(X[0])
    assert torch.equal(neuron.v_seq, neuron.v)


def test_the_repr_shows_parameters():
    assert "v_threshold=1.0, v_reset=None, step_mode='m'" in repr(
        Leaky(v_reset=None, step_mode="m")
    )


def test_missing_dynamics_are_named():
    class Nothing(Neuron): ...

    with pytest.raises(TypeError, match=r"Nothing must define charge\(x, v\), or step whole"):
        Nothing()(X[0])


class Slow(EagerBackend):
    priority = 50

    def supports(self, plan):
        return "it takes float64 only" if plan.dtype != torch.float64 else None


class Absent(EagerBackend):
    priority = 90

    def available(self):
        return "the vendor's SDK is not installed"


@pytest.fixture
def backends():
    module = types.ModuleType("vendor")
    module.API = 1

    @hookimpl
    def snn_components(register):
        register("backend", "slow", f"{__name__}:Slow", summary="supports float64")
        register("backend", "absent", f"{__name__}:Absent", summary="never there")
        register("backend", "broken", "no_such_module:Backend", summary="cannot be imported")

    module.snn_components = snn_components
    with using(Registry([next(iter(installed())), Source("vendor", "1", lambda: module)])):
        yield


@pytest.mark.usefixtures("backends")
def test_the_best_backend_that_can_is_taken_and_explained():
    net = nn.Sequential(nn.Linear(3, 3), Leaky())
    (row,) = snn.explain(net).rows
    assert (row.path, row.layer, row.backend) == ("1", "Leaky", "cpp")
    assert row.reasons["slow"] == "it takes float64 only"
    assert row.reasons["absent"] == "the vendor's SDK is not installed"
    assert "No module named 'no_such_module'" in row.reasons["vendor/broken"]
    (row,) = snn.explain(net, torch.zeros(1, dtype=torch.float64)).rows
    assert row.backend == "slow"
    text = str(snn.explain(net))
    assert "why not another" in text
    assert "slow: it takes float64 only" in text


@pytest.mark.usefixtures("backends")
def test_a_backend_named_explicitly_is_honoured_or_raises():
    with pytest.raises(
        BackendError,
        match=r"backend 'slow' cannot run Leaky: it takes float64 only\. Leave backend=None",
    ):
        Leaky(backend="slow")(X[0])
    Leaky(backend="slow")(X[0].double())
    (row,) = snn.explain(Leaky(backend="slow")).rows
    assert row.backend == "none"
    assert "it takes float64 only" in row.reasons["slow"]
